"""Measured files: which columns a comparison needs, and clear errors for files that lack them.

`read(name)` gives the project's own data, `read(name, folder)` those of another laboratory in the
same shape. Columns that no comparison uses may be missing or hold anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parent / "data"
SHOWN = 20
"""Errors that are told of one file; more are counted."""


class MeasurementError(Exception):
    """A file that cannot be compared; its text names every line at fault."""


@dataclass(frozen=True, slots=True)
class Column:
    """What stands in one column."""

    name: str
    words: tuple[str, ...] = ()
    """The words that are allowed; without them the column holds numbers."""
    is_text: bool = False
    """Whether it is a text, any or one that `pattern` matches."""
    pattern: str = ""
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    """Numbers must be greater than this."""
    is_whole: bool = False
    may_be_blank: bool = False

    def is_doubtful(self, texts: pd.Series) -> pd.Series:
        """Whether cells need a closer look: those that are not plainly numbers in the limits."""
        if self.is_text or self.words:
            return pd.Series(data=True, index=texts.index)
        numbers = pd.to_numeric(texts, errors="coerce")
        is_good = numbers.between(self.least, self.most) & (numbers > self.above)
        if self.is_whole:
            is_good &= numbers % 1 == 0
        return ~is_good | ~np.isfinite(numbers)

    def fault(self, text: str) -> str:
        """Return what is wrong with a cell, empty if nothing is."""
        if not text:
            return "" if self.may_be_blank else "is blank"
        if self.is_text:
            fits = not self.pattern or re.fullmatch(self.pattern, text)
            return "" if fits else f"must look like {self.pattern}"
        if self.words:
            return "" if text in self.words else f"must be one of {', '.join(self.words)}"
        try:
            number = float(text)
        except ValueError:
            return "must be a number with `.` as decimal point"
        if not math.isfinite(number):
            return "must be finite"
        if self.is_whole and number != int(number):
            return "must be a whole number"
        if number <= self.above:
            return f"must be above {self.above:g}"
        if not self.least <= number <= self.most:
            return f"must be from {self.least:g} to {self.most:g}"
        return ""


def amount(*names: str, may_be_blank: bool = False) -> tuple[Column, ...]:
    """Return columns of numbers of at least 0."""
    return tuple(Column(name, least=0.0, may_be_blank=may_be_blank) for name in names)


def positive(*names: str) -> tuple[Column, ...]:
    """Return columns of numbers above 0."""
    return tuple(Column(name, above=0.0) for name in names)


def count(*names: str, least: float = 1) -> tuple[Column, ...]:
    """Return columns of whole numbers."""
    return tuple(Column(name, least=least, is_whole=True) for name in names)


def any_number(*names: str, may_be_blank: bool = False) -> tuple[Column, ...]:
    """Return columns of numbers of either sign."""
    return tuple(Column(name, may_be_blank=may_be_blank) for name in names)


CONTROL = Column("cc", words=("cubic", "reno", "bbr"))
LOST = Column("kind", words=("both", "data", "ack"))
LOSS = Column("loss", least=0.0, most=0.999999)
WINDOW = (*amount("warm_s"), *positive("dur_s"))
FLOWS = (
    *positive("rate_mbit", "rtt_ms", "queue_bytes", "mean_srtt_ms"),
    LOSS,
    CONTROL,
    *count("flows", "rep"),
    *WINDOW,
    *amount("goodput_mbps", "retrans_pkts", "rto_count", "mean_cwnd"),
)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "tcp_grid.csv": FLOWS,
    "tcp_offgrid.csv": FLOWS,
    "tcp_buffer.csv": FLOWS,
    "tcp_rtt_unfairness.csv": (
        *positive("rate_mbit", "queue_bytes"),
        CONTROL,
        Column("rtts_ms", is_text=True, pattern=r"[0-9.]+([+][0-9.]+)*"),
        *count("rep", "flow"),
        *WINDOW,
        Column("share", least=0.0, most=1.0),
    ),
    "tcp_outage.csv": (
        *positive("rate_mbit", "rtt_ms", "queue_bytes", "outage_set_s", "outage_s", "before_mbps"),
        CONTROL,
        LOST,
        *count("rep"),
        Column("outage_start_s", least=6.0),
        *amount("mean10s_mbps", "rto_count"),
        *amount("t90_sustained_s", may_be_blank=True),
    ),
    "tcp_outage_series.csv": (
        *positive("rate_mbit", "rtt_ms", "queue_bytes", "outage_set_s"),
        CONTROL,
        LOST,
        *count("rep"),
        *any_number("t_after_restore_s"),
        *amount("goodput_mbps"),
    ),
    "bgp_failover.csv": (
        *positive("keepalive_s", "hold_s", "probe_ms"),
        *amount("bfd_ms"),
        *count("bfd_mult", least=0),
        Column("kind", words=("silent", "a_only", "linkdown")),
        *count("rep"),
        *amount("detect_a_ms", "detect_b_ms", "fib_a_ms", "fib_b_ms"),
        *amount("outage_ab_ms", "outage_ba_ms", may_be_blank=True),
    ),
    "crypto_cost.csv": (
        Column("suite", is_text=True),
        Column("dir", words=("encrypt", "decrypt")),
        *count("bytes"),
        *positive("ns_min"),
    ),
    "esp_overhead.csv": (
        Column("encap", is_text=True),
        Column("inner_ip_bytes", least=20, most=65_535, is_whole=True),
        *count("outer_ip_bytes", "outer_packets_per_inner"),
    ),
}
"""What each file must have, by its name."""


RUN = {
    file: ["cc", "rate_mbit", "rtt_ms", "loss", "queue_bytes", "flows", "rep", "warm_s", "dur_s"]
    for file in ("tcp_grid.csv", "tcp_offgrid.csv", "tcp_buffer.csv")
} | {"tcp_rtt_unfairness.csv": ["cc", "rtts_ms", "rate_mbit", "queue_bytes", "rep"]}
"""Columns that name a run, of the files that have one line for each of its flows."""


def read(name: str, folder: Path = DATA) -> pd.DataFrame:
    """Read a measured file.

    Raises
    ------
    MeasurementError
        If it is missing, empty, lacks columns or holds cells that no measurement can be.
    """
    path = folder / name
    if not path.is_file():
        raise MeasurementError(f"{path}: no such file")
    try:
        texts = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise MeasurementError(f"{path}: {error}") from None
    faults = list(_faults(texts, COLUMNS[name]))
    if not faults and name in RUN:
        faults = list(_incomplete(pd.read_csv(path, skipinitialspace=True), RUN[name]))
    if faults:
        lines = [f"{path}{fault}" for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"{path}: and {len(faults) - SHOWN} more")
        raise MeasurementError("\n".join(lines))
    texts_only = {column.name: str for column in COLUMNS[name] if column.is_text}
    return pd.read_csv(path, skipinitialspace=True, dtype=texts_only)


def _incomplete(table: pd.DataFrame, run: list[str]) -> Iterator[str]:
    """Yield the runs that have more or fewer lines than flows."""
    flows = table["flows"] if "flows" in run else table["rtts_ms"].astype(str).str.count("[+]") + 1
    lines = table.groupby(run)[run[0]].transform("size")
    first = table[lines != flows].drop_duplicates(run)
    for line, names in zip(first.index + 2, first[run].itertuples(index=False), strict=True):
        key = ", ".join(f"{name} {value}" for name, value in zip(run, names, strict=True))
        count = lines[line - 2]
        yield f":{line}: the run {key} has {count} lines, must have one for each flow"


def _faults(texts: pd.DataFrame, columns: tuple[Column, ...]) -> Iterator[str]:
    """Yield what is wrong, as the end of a line that begins with the file's name."""
    missing = [column.name for column in columns if column.name not in texts]
    if missing:
        yield f":1: has no column {', '.join(missing)} (it has {', '.join(texts.columns)})"
    if texts.empty:
        yield ": has no line of data"
    for column in columns:
        if column.name in missing:
            continue
        for text in dict.fromkeys(texts[column.name][column.is_doubtful(texts[column.name])]):
            fault = column.fault(text)
            if fault:
                for line in texts.index[texts[column.name] == text]:
                    yield f":{line + 2}: {column.name} {fault}, is {text!r}"
