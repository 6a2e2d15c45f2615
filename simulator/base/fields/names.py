"""Names, texts and choices of the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import core_schema

from simulator.base.errors import quote
from simulator.base.fields.lookup import current_lookup
from simulator.base.fields.schema import refuse

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


def _check_name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        rule = "a name has up to 63 letters, digits, '-' and '_', and starts with a letter or digit"
        text = re.sub(r"[^A-Za-z0-9_-]+", "-", str(value)[:63]).strip("-_")
        refuse(rule, f"write '{text or 'name'}'")
    return value


Name: TypeAlias = Annotated[
    str,
    BeforeValidator(_check_name),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"}),
]


def _check_place(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(rf"{NAME_PATTERN}\.{NAME_PATTERN}", value):
        return value
    return _check_name(value)


#: A place of traffic: a name, or VNET.SUBNET.
PlaceName: TypeAlias = Annotated[
    str,
    BeforeValidator(_check_place),
    WithJsonSchema({"type": "string", "pattern": rf"^{NAME_PATTERN}(\.{NAME_PATTERN})?$"}),
]


def _check_text(value: object) -> str:
    if not isinstance(value, str):
        refuse("must be text", f"put it in quotes: '{quote(value)}'")
    if any("\ud800" <= c <= "\udfff" for c in value):
        refuse("must be text that UTF-8 can hold", "remove the lone surrogate")
    return value


Text: TypeAlias = Annotated[str, BeforeValidator(_check_text), WithJsonSchema({"type": "string"})]


@dataclass(frozen=True)
class CatalogueName:
    """Annotation of a text that must be a name of one subject of the catalogue."""

    subject: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "enum": list(current_lookup().names(self.subject))}

    def check(self, value: object) -> str:
        """The name as written, if the catalogue has it."""
        names = current_lookup().names(self.subject)
        if not isinstance(value, str) or value not in names:
            refuse(f"is not in the catalogue ({self.subject})", subject=self.subject)
        return value
