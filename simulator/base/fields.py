"""The field types of a scenario: quantities, names, addresses, catalogue names and defaults.

A field type reads text as written in a file, checks it, and is an SI float or a plain Python
value afterwards. It also describes itself for the JSON Schema, so that an editor completes names
and shows a hover text. What the catalogue knows (names, defaults, ranges) comes through the
`Lookup` in force, because this floor lies below the catalogue.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NoReturn, Protocol, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
)
from pydantic.functional_validators import AfterValidator
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from simulator.base.errors import CrosspremError, quote
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

V = TypeVar("V")

#: The type of every problem that a field of this module reports; `fix` is in its context.
PROBLEM_TYPE = "crossprem"


def refuse(rule: str, fix: str = "", *, subject: str = "") -> NoReturn:
    """Report that a field breaks `rule`, with the nearest fix.

    Where the fix is a name of the catalogue, `subject` says of what: looking for the nearest name
    takes long, so whoever prints the problem does it.
    """
    context = {"rule": rule, "fix": fix, "subject": subject}
    raise PydanticCustomError(PROBLEM_TYPE, "{rule}", context)


class Schema(BaseModel):
    """Base of everything that is written in a scenario: strict, frozen, no unknown fields."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
    )


# ---------------------------------------------------------------------------------------------
# What the catalogue knows
# ---------------------------------------------------------------------------------------------


class Default(Protocol):
    """One default of the catalogue, as a scenario would write it, with its range and origin."""

    @property
    def text(self) -> str:
        """The value, for example `20 ms`, `2` or `instance`."""

    @property
    def low(self) -> str | None:
        """The least value, None if there is none."""

    @property
    def high(self) -> str | None:
        """The greatest value, None if there is none."""

    def cite(self) -> str:
        """Table, row, source and date in one line."""


class Lookup(Protocol):
    """What a field asks of the catalogue."""

    def names(self, subject: str) -> Sequence[str]:
        """Every name of a subject, for example `regions`."""

    def default(self, row: str, /) -> Default:
        """The default value of a field, by its row in the table of defaults."""


_LOOKUP: ContextVar[Lookup] = ContextVar("lookup")


@contextmanager
def use_lookup(lookup: Lookup) -> Iterator[None]:
    """Let fields ask `lookup` while the block runs."""
    token = _LOOKUP.set(lookup)
    try:
        yield
    finally:
        _LOOKUP.reset(token)


def current_lookup() -> Lookup:
    """The lookup in force; scenarios are built by `simulator.load`, which sets it."""
    lookup = _LOOKUP.get(None)
    if lookup is None:
        message = "no catalogue in force: build scenarios with simulator.load"
        raise CrosspremError(message)
    return lookup


def catalogued(row: str, description: str) -> Any:
    """A field whose default is the row `row` of the catalogue's table of defaults."""
    return Field(
        default_factory=lambda: _default_value(row),
        description=description,
        json_schema_extra={"x-default-row": row},
    )


def defaulted(text: str, description: str) -> Any:
    """A field whose default is written as a scenario would write it, for example `0 s`."""
    return Field(default=text, description=description)


def _default_value(row: str) -> Any:
    text = current_lookup().default(row).text
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if re.fullmatch(r"[0-9]+", text) else text


# ---------------------------------------------------------------------------------------------
# Quantities
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantity:
    """Annotation of a float that is written as text with a unit and lies in a range.

    `low` and `high` are inclusive and written like the field itself; `row` names the row of the
    catalogue's defaults whose published range holds instead.
    """

    dimension: Dimension
    low: str
    high: str
    row: str | None = None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.text),
        )

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


# ---------------------------------------------------------------------------------------------
# Names, choices of the catalogue, addresses
# ---------------------------------------------------------------------------------------------

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


def _check_name(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(NAME_PATTERN, value):
        return value
    rule = "a name has up to 63 letters, digits, '-' and '_', and starts with a letter or digit"
    text = re.sub(r"[^A-Za-z0-9_-]+", "-", str(value)[:63]).strip("-_")
    refuse(rule, f"write '{text or 'name'}'")


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
        if isinstance(value, str) and value in names:
            return value
        refuse(f"is not in the catalogue ({self.subject})", subject=self.subject)


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


# ---------------------------------------------------------------------------------------------
# Lists and maps that cannot be changed
# ---------------------------------------------------------------------------------------------


class FrozenDict(dict[str, V]):
    """A dict that refuses every change and can be hashed by no one; order is that of the file."""

    def __reduce__(self) -> tuple[type[FrozenDict[V]], tuple[dict[str, V]]]:
        return (FrozenDict, (dict(self),))

    def _refuse_change(self, *args: object, **kwargs: object) -> NoReturn:
        message = "a scenario cannot be changed; use scenario.with_(...)"
        raise TypeError(message)

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse_change
    __ior__ = _refuse_change


def _from_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


#: A list in the file, a tuple in the model.
Sequenced = Annotated[tuple[V, ...], BeforeValidator(_from_list)]

#: A map of named things, in the order of the file.
Named = Annotated[Mapping[Name, V], AfterValidator(FrozenDict)]

#: A map by prefix, which stays text.
Prefixed = Annotated[Mapping[PrefixText, V], AfterValidator(FrozenDict)]


def tagged(prefix: str, field: str) -> Callable[[Any], str | None]:
    """A discriminator that reads `field` of raw data or of a model; tags are `prefix=value`."""

    def tag(value: Any) -> str | None:
        kind = value.get(field) if isinstance(value, Mapping) else getattr(value, field, None)
        return f"{prefix}={kind}"

    return tag


# ---------------------------------------------------------------------------------------------
# Packet sizes
# ---------------------------------------------------------------------------------------------

_PACKET_BYTES = Quantity(SIZE, "40 bytes", "9000 bytes")


class _PacketSizeField:
    """A packet mix of the catalogue (stays text) or one size of IP packets (a float in bytes)."""

    mixes = CatalogueName("packet-mixes")

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.text),
        )

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


# ---------------------------------------------------------------------------------------------
# Instants
# ---------------------------------------------------------------------------------------------

_INSTANT = Quantity(DURATION, "0 s", "50 d")


class _InstantsField:
    """The word `faults`, or a list of times (a tuple of floats in seconds)."""

    word = "faults"

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.text),
        )

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


# ---------------------------------------------------------------------------------------------
# What all traffic, and all faults, have in common
# ---------------------------------------------------------------------------------------------


class TrafficSchema(Schema):
    """One stream: two ends, and the stretch of time in which it sends."""

    from_: PlaceName = Field(
        alias="from",
        description="site, VNet or VNET.SUBNET that sends (forward direction), or a group of "
        "clients: then rates, calls and flows are those of each client",
    )
    to: PlaceName = Field(
        description="VNet, VNET.SUBNET, private endpoint or site at the other end, or internet"
    )
    start: Duration = defaulted("0 s", "time of the first packets")
    stop: Duration | None = Field(
        default=None, description="time when it stops sending; the horizon by default"
    )


class FaultSchema(Schema):
    """One fault: when it strikes and when it is repaired."""

    at: Duration = Field(description="time of the fault")
    duration: PositiveDuration | None = Field(
        default=None, description="how long it lasts; without it and `until`, to the end of the run"
    )
    until: Duration | None = Field(default=None, description="time of repair, instead of duration")

    @property
    def is_given(self) -> bool:
        """Whether the scenario says when it ends."""
        return self.duration is not None or self.until is not None

    @property
    def lasting_s(self) -> float:
        """Time of repair in seconds as the scenario gives it, infinite if it does not."""
        if self.until is not None:
            return self.until
        return math.inf if self.duration is None else self.at + self.duration

    @property
    def end_s(self) -> float:
        """Time of repair in seconds, infinite if nobody repairs it."""
        return self.lasting_s


class BriefFaultSchema(FaultSchema):
    """A fault that ends by itself: where no end is given, a published time is drawn."""

    duration: PositiveDuration | None = Field(
        default=None, description="how long it lasts; drawn from a published time by default"
    )

    @property
    def end_s(self) -> float:
        """Time of its end in seconds; that of its beginning while nothing is drawn."""
        return self.lasting_s if self.is_given else self.at

    def ends_s(self, drawn_s: float) -> float:
        """Time of its end: as given, or after what was drawn."""
        return self.lasting_s if self.is_given else self.at + drawn_s
