"""Templates: the scenarios that come with the program, to begin a file of one's own from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from simulator.base.errors import UsageError, did_you_mean

SCHEMA_NAME: Final = "scenario-v1.json"
SCHEMA_LINE: Final = re.compile(r"(?m)^(# yaml-language-server: \$schema=).*$")
NEEDED: Final = re.compile(
    r"(?m)(?:^\s*|[{,] *)(?:extends|sites_from|rates_from): *([^\s#\[\]{},]+)"
)
TITLE: Final = re.compile(r"(?m)^title: *\"?(.*?)\"?$")


def folder() -> Path:
    """Where the templates lie: inside an installed package, or beside it in a source tree."""
    here = Path(__file__).resolve().parent
    inside = here / "scenario_templates"
    return inside if inside.is_dir() else here.parent / "scenarios"


def listed() -> dict[str, str]:
    """Name of each template with its title, in order of name."""
    found = {}
    for path in sorted(folder().glob("*.yaml")):
        title = TITLE.search(path.read_text(encoding="utf-8"))
        found[path.stem] = title[1] if title else ""
    return found


def write(name: str, out: Path) -> list[Path]:
    """Write a template with the files that it needs, and the schema that an editor reads.

    Parameters
    ----------
    name
        Name of the template.
    out
        File to write; what it needs goes beside it.

    Returns
    -------
    list[Path]
        The files, the scenario first.

    Raises
    ------
    UsageError
        If there is no such template, a file is there already, or cannot be written.
    """
    known = listed()
    if name not in known:
        raise UsageError(f"there is no template {name}; {did_you_mean(name, known)}")
    source = folder() / f"{name}.yaml"
    schema = Path(__file__).resolve().parent / "schema" / SCHEMA_NAME
    text = source.read_text(encoding="utf-8")
    contents = {out: SCHEMA_LINE.sub(rf"\g<1>{SCHEMA_NAME}", text).encode()}
    for place in _needed(source, text):
        contents[out.parent / place] = (source.parent / place).read_bytes()
    there = [path for path in contents if path.exists()]
    if there:
        raise UsageError(f"{', '.join(map(str, there))}: exists already; choose another name")
    contents[out.parent / SCHEMA_NAME] = schema.read_bytes()
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror or error})") from error
    return list(contents)


def _needed(source: Path, text: str) -> list[str]:
    """Files that a scenario names, and those that these name, as paths from the scenario."""
    found: list[str] = []
    for place in NEEDED.findall(text):
        found.append(place)
        path = source.parent / place
        if path.suffix == ".yaml":
            below = _needed(path, path.read_text(encoding="utf-8"))
            found += [(Path(place).parent / other).as_posix() for other in below]
    return found
