"""A scenario with every default written out, and where each came from, as YAML text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simulator.base.errors import CatalogError
from simulator.base.fields import CatalogueName, current_lookup
from simulator.catalog import Catalog
from simulator.scenario.source import ABSENT, Source, TreePath, item_at
from simulator.scenario.yaml_reader import core_scalar

_INDENT = "  "
#: Text that YAML reads back as the same text without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+%()-]*(?<! )")


def resolved_text(scenario: BaseModel, written: Source, catalog: Catalog) -> str:
    """The scenario as YAML; a trailing comment names the origin of what was not written."""
    writer = _Writer(written, catalog)
    head = "# every default is written out; the comment says where a value comes from"
    return "\n".join([head, *writer.fields(scenario, (), "")]) + "\n"


class _Writer:
    def __init__(self, written: Source, catalog: Catalog) -> None:
        self._written = written
        self._catalog = catalog

    def fields(self, model: BaseModel, path: TreePath, indent: str) -> Iterator[str]:
        """The lines of one model."""
        values = model.model_dump(mode="json", by_alias=True)
        for attribute, info in sorted(type(model).model_fields.items(), key=_tag_first):
            name, value = info.alias or attribute, getattr(model, attribute)
            yield from self._field(name, value, values[name], info, (*path, name), indent)

    def _field(
        self, name: str, value: Any, plain: Any, info: FieldInfo | None, path: TreePath, indent: str
    ) -> Iterator[str]:
        deeper = indent + _INDENT
        if isinstance(value, BaseModel):
            yield f"{indent}{scalar(name)}:"
            yield from self.fields(value, path, deeper)
        elif isinstance(value, Mapping) and value:
            yield f"{indent}{scalar(name)}:"
            for key, item in value.items():
                yield from self._field(key, item, plain[key], None, (*path, key), deeper)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            yield f"{indent}{scalar(name)}:"
            for index, item in enumerate(value):
                lines = list(self.fields(item, (*path, index), deeper + _INDENT))
                yield f"{deeper}- {lines[0].lstrip()}"
                yield from lines[1:]
        else:
            comment = self._origin(value, info, path)
            yield f"{indent}{scalar(name)}: {_flow(plain)}{'  # ' + comment if comment else ''}"

    def _origin(self, value: Any, info: FieldInfo | None, path: TreePath) -> str:
        """Where the value comes from, empty for what was written and is no catalogue name."""
        if info is None:
            return ""
        if item_at(self._written.data, path) is ABSENT:
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            if "x-default-row" in extra:
                return current_lookup().default(str(extra["x-default-row"])).cite()
            return str(extra.get("x-derived", "default"))
        named = next((m for m in _metadata(info) if isinstance(m, CatalogueName)), None)
        return self._named(named.subject, value) if named and isinstance(value, str) else ""

    def _named(self, subject: str, name: str) -> str:
        try:
            table = self._catalog.table(subject)
        except CatalogError:
            return ""
        rows = [row for row in table.rows if row[table.key] == name]
        if not rows:
            return ""
        return f"catalogue {subject} {name}, {rows[0]['source']}, {rows[0]['as_of']}"


def _tag_first(item: tuple[str, FieldInfo]) -> bool:
    """Sorts what kind of thing it is before its other fields, which keep their order."""
    return item[0] not in {"kind", "type"}


def _metadata(info: FieldInfo) -> Iterator[Any]:
    """The annotations of a field, those inside an optional type too."""
    yield from info.metadata
    for part in getattr(info.annotation, "__args__", ()):
        yield from getattr(part, "__metadata__", ())


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    return scalar(value)


def scalar(value: Any) -> str:
    """One value as YAML reads it back unchanged: plain where that is safe, else quoted."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and core_scalar(text) == text and isinstance(core_scalar(text), str):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
