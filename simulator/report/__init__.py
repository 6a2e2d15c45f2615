"""Reports to hand over: one HTML file, Markdown, or a workbook, made from a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from simulator.base.errors import UsageError

__all__ = ["write_report"]

ENDINGS: Final = (".html", ".md", ".xlsx")


def write_report(folder: str | Path, out: str | Path, *, others: Sequence[str | Path] = ()) -> Path:
    """Write the report of a run folder; the ending of `out` says which format.

    Parameters
    ----------
    folder
        A run folder, as `crossprem run` and `Result.save` leave it, or the folder of a sweep that
        has ended (HTML only).
    out
        File to write: `.html`, `.md` or `.xlsx`. It is replaced if it exists.
    others
        Run folders of other designs, for a table of options (HTML and Markdown).

    Returns
    -------
    Path
        The file, absolute.

    Raises
    ------
    UsageError
        If the folder is none of a run or sweep, the ending is none of these, or the file cannot be
        written.
    """
    out = Path(out).absolute()
    content = _content(Path(folder), [Path(other) for other in others], out.suffix)
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{out}: cannot be written ({error.strerror or error})") from error
    return out


def _content(folder: Path, others: Sequence[Path], suffix: str) -> bytes:
    from simulator.report import markdown, page, sweep_page, workbook
    from simulator.report.evidence import Evidence
    from simulator.study.store import DESIGN
    from simulator.study.sweep import open_sweep

    if suffix not in ENDINGS:
        raise UsageError(f"{suffix or 'no ending'}: a report ends in {', '.join(ENDINGS)}")
    if (folder / DESIGN).exists():
        if suffix != ".html" or others:
            raise UsageError(f"{folder}: the report of a sweep is one .html file of one folder")
        return sweep_page.html(open_sweep(folder)).encode()
    evidence = Evidence(folder, others)
    match suffix:
        case ".html":
            return page.html(evidence).encode()
        case ".md":
            return markdown.text(evidence).encode()
        case _:
            return workbook.content(evidence)
