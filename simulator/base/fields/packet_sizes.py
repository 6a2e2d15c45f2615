"""Sizes of packets: a mix of the catalogue, or one size."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from simulator.base.fields.names import CatalogueName
from simulator.base.fields.quantities import Quantity
from simulator.base.fields.schema import TextField
from simulator.base.units import SIZE

_PACKET_BYTES = Quantity(SIZE, "40 bytes", "9000 bytes")


class _PacketSizeField(TextField):
    """A packet mix of the catalogue (stays text) or one size of IP packets (a float in bytes)."""

    mixes = CatalogueName("packet-mixes")

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        mix = self.mixes.__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [mix, _PACKET_BYTES.__get_pydantic_json_schema__(schema, handler)]}

    def parse(self, value: object) -> str | float:
        if isinstance(value, str) and value[:1].isalpha():
            return self.mixes.check(value)
        return _PACKET_BYTES.parse(value)

    def text(self, value: str | float) -> str:
        return value if isinstance(value, str) else _PACKET_BYTES.text(value)


PacketSize: TypeAlias = Annotated[str | float, _PacketSizeField()]
