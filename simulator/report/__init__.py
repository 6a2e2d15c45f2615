"""Reports to hand over: one HTML file, Markdown, or a workbook, made from a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from simulator.base.errors import UsageError

__all__ = ["write_report"]

ENDINGS: Final = (".html", ".md", ".xlsx")
RUN: Final = "streams"
"""The table that tells a run folder from the others."""


def write_report(
    folder: str | Path,
    out: str | Path,
    *,
    others: Sequence[str | Path] = (),
    growth: str | None = None,
) -> Path:
    """Write the report of a run, sweep or comparison; the ending of `out` says which format.

    Parameters
    ----------
    folder
        A run folder, as `crossprem run` and `Result.save` leave it, that of a comparison or
        ranking (`crossprem compare --out`), or that of a sweep.
    out
        File to write: `.html`, `.md` or `.xlsx`. It is replaced if it exists.
    others
        Run folders of other designs, for a table of options beside the first.
    growth
        Growth of the load of a run, such as `3 %/month`, for a forecast; without it that of the
        scenario's profiles, if it states any.

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    UsageError
        If the folder is none of these, the ending is none of these, or the file cannot be written.
    """
    out = Path(out).absolute()
    content = _content(Path(folder), [Path(other) for other in others], out.suffix, growth)
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{out}: cannot be written ({error.strerror or error})") from error
    return out


def _content(folder: Path, others: Sequence[Path], suffix: str, growth: str | None) -> bytes:
    from simulator.study.folders import COMPARISON, RANKING, is_of
    from simulator.study.store import DESIGN

    if suffix not in ENDINGS:
        raise UsageError(f"{suffix or 'no ending'}: a report ends in {', '.join(ENDINGS)}")
    if is_of(folder, RUN):
        return _of_run(folder, others, suffix, growth)
    if others or growth:
        raise UsageError(f"{folder}: only the report of a run takes other folders and --growth")
    if (folder / DESIGN).exists():
        return _of_sweep(folder, suffix)
    for table in (COMPARISON, RANKING):
        if is_of(folder, table):
            return _of_study(folder, table, suffix)
    raise UsageError(
        f"{folder}: is no run folder, and none of a comparison or sweep; name one that "
        "`crossprem run`, `compare --out` or `sweep` has written"
    )


def _of_run(folder: Path, others: Sequence[Path], suffix: str, growth: str | None) -> bytes:
    from simulator.report import markdown, page, workbook
    from simulator.report.evidence import Evidence

    evidence = Evidence(folder, others, growth)
    match suffix:
        case ".html":
            return page.html(evidence).encode()
        case ".md":
            return markdown.text(evidence).encode()
    return workbook.of_folder(evidence.saved)


def _of_sweep(folder: Path, suffix: str) -> bytes:
    from simulator.report import sweep_page, workbook
    from simulator.study.sweep import open_sweep

    sweep = open_sweep(folder)
    match suffix:
        case ".html":
            return sweep_page.html(sweep).encode()
        case ".md":
            return sweep_page.markdown(sweep).encode()
    return workbook.of_sweep(sweep)


def _of_study(folder: Path, table: str, suffix: str) -> bytes:
    """The report of a comparison or a ranking."""
    from simulator import run_folder
    from simulator.report import axis_page, compare_page, workbook
    from simulator.study.folders import COMPARISON

    match suffix:
        case ".html":
            html = compare_page.html if table == COMPARISON else axis_page.html
            return html(folder).encode()
        case ".md":
            return (folder / f"{table}.md").read_bytes()
    return workbook.of_folder(run_folder.read(folder))
