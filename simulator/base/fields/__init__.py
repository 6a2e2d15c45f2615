"""The field types of a scenario: quantities, names, addresses, catalogue names and defaults.

A field type reads text as written in a file, checks it, and is an SI float or a plain Python
value afterwards. It also describes itself for the JSON Schema, so that an editor completes names
and shows a hover text. What the catalogue knows (names, defaults, ranges) comes through the
`Lookup` in force, because this floor lies below the catalogue.
"""

from __future__ import annotations

from simulator.base.fields.addresses import WHOLE, Address, AsNumber, Prefix
from simulator.base.fields.collections import FrozenDict, Named, Prefixed, Sequenced, tagged
from simulator.base.fields.entries import BriefFaultSchema, FaultSchema, TrafficSchema
from simulator.base.fields.instants import Instants
from simulator.base.fields.lookup import Lookup, catalogued, current_lookup, defaulted, use_lookup
from simulator.base.fields.names import CatalogueName, Name, Text
from simulator.base.fields.packet_sizes import PacketSize
from simulator.base.fields.quantities import (
    Delay,
    Duration,
    Money,
    OfferedRate,
    PacketBytes,
    PositiveDuration,
    Quantity,
    Rate,
    Ratio,
    Size,
)
from simulator.base.fields.schema import PROBLEM_TYPE, Schema, refuse

__all__ = [
    "PROBLEM_TYPE",
    "WHOLE",
    "Address",
    "AsNumber",
    "BriefFaultSchema",
    "CatalogueName",
    "Delay",
    "Duration",
    "FaultSchema",
    "FrozenDict",
    "Instants",
    "Lookup",
    "Money",
    "Name",
    "Named",
    "OfferedRate",
    "PacketBytes",
    "PacketSize",
    "PositiveDuration",
    "Prefix",
    "Prefixed",
    "Quantity",
    "Rate",
    "Ratio",
    "Schema",
    "Sequenced",
    "Size",
    "Text",
    "TrafficSchema",
    "catalogued",
    "current_lookup",
    "defaulted",
    "refuse",
    "tagged",
    "use_lookup",
]
