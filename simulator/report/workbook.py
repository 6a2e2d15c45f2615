"""Tables as a workbook: a sheet for each, and a dictionary of the columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import pandas as pd

from simulator import metrics
from simulator.metrics.metric import Column

if TYPE_CHECKING:
    from simulator.run_folder import Saved
    from simulator.study.sweep import Sweep

ROWS_MAX: Final = 1_048_575
"""What a sheet holds below its header."""
Tables: TypeAlias = Mapping[str, tuple[pd.DataFrame, Sequence[Column]]]


def of_folder(saved: Saved) -> bytes:
    """Return a workbook of all tables of a run, a comparison or a ranking."""
    return content({name: (saved.table(name), saved.columns(name)) for name in saved.tables})


def of_sweep(sweep: Sweep) -> bytes:
    """Return a workbook of the table of a sweep."""
    known = {column.name: column for column in metrics.columns("streams")}
    columns = [
        known.get(name, Column(name, "", "Of the point: an input, or how it went."))
        for name in map(str, sweep.table.columns)
    ]
    return content({"sweep": (sweep.table, columns)})


def content(tables: Tables) -> bytes:
    """Return the bytes of the workbook."""
    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with pd.ExcelWriter(buffer, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        for name, (frame, _) in tables.items():
            _sheet(writer, name, frame.head(ROWS_MAX))
        _sheet(writer, "dictionary", pd.DataFrame(_dictionary(tables)))
    return buffer.getvalue()


def _dictionary(tables: Tables) -> Iterator[dict[str, str]]:
    for name, (frame, columns) in tables.items():
        cut = f"; the first {ROWS_MAX:,} of {len(frame):,} rows" if len(frame) > ROWS_MAX else ""
        for c in columns:
            yield {"sheet": name, "column": c.name, "unit": c.unit, "meaning": c.text + cut}


def _sheet(writer: pd.ExcelWriter, name: str, frame: pd.DataFrame) -> None:
    frame.to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 0))
    sheet = writer.sheets[name]
    for number, column in enumerate(frame.columns):
        sheet.set_column(number, number, max(10, len(str(column)) + 2))
