"""Quantities: text with a unit in a file, a float in SI units afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from simulator.base.fields.lookup import current_lookup
from simulator.base.fields.schema import TextField, refuse
from simulator.base.units import (
    DURATION,
    MONEY,
    RATE,
    RATIO,
    SIZE,
    Dimension,
    UnitError,
    exact_text,
    parse_quantity,
)


@dataclass(frozen=True)
class Quantity(TextField):
    """Annotation of a float that is written as text with a unit and lies in a range.

    `low` and `high` are inclusive and written like the field itself; `row` names the row of the
    catalogue's defaults whose published range holds instead.
    """

    dimension: Dimension
    low: str
    high: str
    row: str | None = None

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        units = "|".join(re.escape(unit) for unit in self.dimension.factors)
        low, high = self.bounds()
        return {
            "type": "string",
            "pattern": rf"^[0-9.]+([eE][+-]?[0-9]+)? ?({units})$",
            "examples": [self.dimension.example],
            "description": f"{self.dimension.name}, from {low} to {high}",
        }

    def text(self, value: float) -> str:
        """The value as a scenario writes it."""
        return exact_text(value, self.dimension)

    def bounds(self) -> tuple[str, str]:
        """The least and the greatest value, as a scenario writes them."""
        if self.row is None:
            return self.low, self.high
        default = current_lookup().default(self.row)
        return default.low or self.low, default.high or self.high

    def parse(self, value: object) -> float:
        """The value in SI units, or a problem."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            refuse(
                f"must be {self.dimension.article} written as text with a unit",
                f"write for example '{self.dimension.example}'",
            )
        text = value if isinstance(value, str) else f"{value}"
        try:
            quantity = parse_quantity(text, self.dimension)
        except UnitError as error:
            refuse(error.rule, error.fix)
        low, high = self.bounds()
        if quantity < _end_of_range(low, self.dimension):
            refuse(f"must lie between {low} and {high}", f"the least is '{low}'")
        if quantity > _end_of_range(high, self.dimension):
            refuse(f"must lie between {low} and {high}", f"the greatest is '{high}'")
        return quantity


@cache
def _end_of_range(text: str, dimension: Dimension) -> float:
    """The least or greatest value of a field; the ranges are few, their fields many."""
    return parse_quantity(text, dimension)


Rate: TypeAlias = Annotated[float, Quantity(RATE, "1 kbit/s", "1000 Gbit/s")]
#: A rate of traffic that may be none at all.
OfferedRate: TypeAlias = Annotated[float, Quantity(RATE, "0 bit/s", "1000 Gbit/s")]
#: A point of the run's time, or a length of time that may be zero.
Duration: TypeAlias = Annotated[float, Quantity(DURATION, "0 s", "50 d")]
#: A length of time that something lasts; never zero.
PositiveDuration: TypeAlias = Annotated[float, Quantity(DURATION, "1 us", "50 d")]
#: A delay of a link or path.
Delay: TypeAlias = Annotated[float, Quantity(DURATION, "0 s", "10 s")]
Size: TypeAlias = Annotated[float, Quantity(SIZE, "1 bytes", "1000000 GB")]
#: The length of one IP packet.
PacketBytes: TypeAlias = Annotated[float, Quantity(SIZE, "40 bytes", "9000 bytes")]
Ratio: TypeAlias = Annotated[float, Quantity(RATIO, "0 %", "100 %")]
Money: TypeAlias = Annotated[float, Quantity(MONEY, "0 USD", "1000000000 USD")]
