"""Instants of a run."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from simulator.base.fields.quantities import Quantity
from simulator.base.fields.schema import TextField, refuse
from simulator.base.units import DURATION

_INSTANT = Quantity(DURATION, "0 s", "50 d")


class _InstantsField(TextField):
    """The word `faults`, or a list of times (a tuple of floats in seconds)."""

    word = "faults"

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        times = _INSTANT.__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [{"const": self.word}, {"type": "array", "items": times, "minItems": 1}]}

    def parse(self, value: object) -> str | tuple[float, ...]:
        if value == self.word:
            return self.word
        if not isinstance(value, list | tuple) or not value:
            refuse("must be faults or a list of times", "write faults, or for example [9 h, 12 h]")
        return tuple(_INSTANT.parse(time) for time in value)

    def text(self, value: str | tuple[float, ...]) -> str | list[str]:
        return value if isinstance(value, str) else [_INSTANT.text(time_s) for time_s in value]


Instants: TypeAlias = Annotated[str | tuple[float, ...], _InstantsField()]
