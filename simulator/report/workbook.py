"""A run folder as a workbook: a sheet for each table, and a dictionary of the columns."""

from __future__ import annotations

import io
from typing import Final

import pandas as pd

from simulator import metrics
from simulator.report.evidence import Evidence

ROWS_MAX: Final = 1_048_575
"""What a sheet holds below its header."""


def content(evidence: Evidence) -> bytes:
    """Return the bytes of the workbook."""
    entries = []
    buffer = io.BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with pd.ExcelWriter(buffer, engine="xlsxwriter", engine_kwargs={"options": options}) as writer:
        for name in metrics.TABLES:
            frame = evidence.saved.table(name)
            _sheet(writer, name, frame.head(ROWS_MAX))
            cut = (
                f"; the first {ROWS_MAX:,} of {len(frame):,} rows" if len(frame) > ROWS_MAX else ""
            )
            entries += [
                {"sheet": name, "column": c.name, "unit": c.unit, "meaning": c.text + cut}
                for c in metrics.columns(name)
            ]
        _sheet(writer, "dictionary", pd.DataFrame(entries))
    return buffer.getvalue()


def _sheet(writer: pd.ExcelWriter, name: str, frame: pd.DataFrame) -> None:
    frame.to_excel(writer, sheet_name=name, index=False, freeze_panes=(1, 0))
    sheet = writer.sheets[name]
    for number, column in enumerate(frame.columns):
        sheet.set_column(number, number, max(10, len(str(column)) + 2))
