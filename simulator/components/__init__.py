"""Components, one file each: what a design is made of.

A component that a scenario describes has a `Schema`, the `SECTION` in which its entries stand and
the `STAGE` at which it adds its rows with `plan_rows(name, part, draft)`. It may also have

    prepare(draft)                   called before any rows are added
    draw(name, part, sketch, draft)  how it looks in the topology
    joins(name, part, parts)         the places between which traffic can pass thanks to an entry
    REFERS                           field -> section of the entry, or entries, that it names
"""

from __future__ import annotations

from types import ModuleType
from typing import get_args

from simulator.base.registry import Registry
from simulator.base.sections import Section
from simulator.components import (
    circuit,
    clients,
    connection,
    expressroute_connection,
    expressroute_gateway,
    gateway,
    internet,
    path,
    peering,
    peering_port,
    private_endpoint,
    site,
    vnet,
    vnet_to_vnet,
)

#: Kind of component -> its module. Sections of a scenario are in the order of their first kind.
COMPONENTS: Registry[ModuleType] = Registry("kind of component")
COMPONENTS.add("vnet", vnet)
COMPONENTS.add("site", site)
COMPONENTS.add("vpn", gateway)
COMPONENTS.add("expressroute-gateway", expressroute_gateway)
COMPONENTS.add("peering-port", peering_port)
COMPONENTS.add("private-endpoint", private_endpoint)
COMPONENTS.add("circuit", circuit)
COMPONENTS.add("ipsec", connection)
COMPONENTS.add("vnet-to-vnet", vnet_to_vnet)
COMPONENTS.add("peering", peering)
COMPONENTS.add("expressroute-connection", expressroute_connection)
COMPONENTS.add("clients", clients)
COMPONENTS.add("path", path)
COMPONENTS.add("internet", internet)


def described() -> list[ModuleType]:
    """The components that entries of a scenario describe."""
    return [module for _, module in COMPONENTS.items() if hasattr(module, "Schema")]


def sections() -> dict[str, Section]:
    """The sections of a scenario that components describe, by name."""
    return {module.SECTION.name: module.SECTION for module in described()}


def kinds_in(section: str) -> list[ModuleType]:
    """The components whose entries stand in a section."""
    return [module for module in described() if module.SECTION.name == section]


def type_of(module: ModuleType) -> str:
    """What the field `type` of an entry says; only for sections with several kinds."""
    (word,) = get_args(module.Schema.model_fields["type"].annotation)
    return str(word)
