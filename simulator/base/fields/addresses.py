"""Addresses, prefixes and whole numbers."""

from __future__ import annotations

import ipaddress
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic.json_schema import WithJsonSchema

from simulator.base.fields.schema import refuse


def _parse_prefix(value: object) -> ipaddress.IPv4Network:
    if isinstance(value, ipaddress.IPv4Network):
        return value
    example = "write for example '10.0.0.0/16'"
    if not isinstance(value, str):
        refuse("must be an IPv4 prefix", example)
    try:
        interface = ipaddress.IPv4Interface(value)
    except ValueError:
        refuse("must be an IPv4 prefix", example)
    if "/" not in value:
        refuse("an IPv4 prefix needs its length", f"write '{value}/32' or '{value}/24'")
    if interface.ip != interface.network.network_address:
        refuse("the prefix has bits set behind its length", f"write '{interface.network}'")
    return interface.network


def _parse_address(value: object) -> ipaddress.IPv4Address:
    if isinstance(value, ipaddress.IPv4Address):
        return value
    if not isinstance(value, str):
        refuse("must be an IPv4 address", "write for example '203.0.113.7'")
    try:
        return ipaddress.IPv4Address(value)
    except ValueError:
        refuse("must be an IPv4 address", "write for example '203.0.113.7'")


#: A part of an address, or what stands for it where `count` makes copies.
_OCTET = r"([0-9]{1,3}|\{([0-9]+\+)?i(\+[0-9]+)?\})"

Prefix: TypeAlias = Annotated[
    ipaddress.IPv4Network,
    BeforeValidator(_parse_prefix),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^({_OCTET}\.){{3}}{_OCTET}/[0-9]{{1,2}}$",
            "examples": ["10.0.0.0/16"],
        }
    ),
]
#: The same as text, for the key of a map.
PrefixText: TypeAlias = Annotated[
    str,
    BeforeValidator(lambda value: str(_parse_prefix(value))),
    WithJsonSchema({"type": "string", "pattern": rf"^({_OCTET}\.){{3}}{_OCTET}/[0-9]{{1,2}}$"}),
]
Address: TypeAlias = Annotated[
    ipaddress.IPv4Address,
    BeforeValidator(_parse_address),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^({_OCTET}\.){{3}}{_OCTET}$",
            "examples": ["203.0.113.7"],
        }
    ),
]


def _check_whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        refuse("must be a whole number", "write digits only, without unit and quotes")
    return value


#: Annotation of a choice among numbers: `true` and `1.0` equal 1 and are still no choice.
WHOLE = BeforeValidator(_check_whole)

#: Number of an autonomous system (RFC 6793: four octets).
AsNumber: TypeAlias = Annotated[int, Field(ge=1, le=4_294_967_295)]
