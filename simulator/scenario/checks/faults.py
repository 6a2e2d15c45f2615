"""Faults that make no sense: what they name, when they strike, and which contradict each other."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.base.errors import Problem
from simulator.base.fields import FaultSchema
from simulator.base.units import format_duration
from simulator.catalog import Catalog
from simulator.faults import FAULTS
from simulator.faults.bgp_session_reset import BgpSessionReset
from simulator.faults.zone_outage import ZoneOutage
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.source import Source, TreePath

if TYPE_CHECKING:
    from simulator.scenario.model import Run
    from simulator.scenario.parts import Parts

TIMES = frozenset({"at", "duration", "until"})
#: Field of a fault -> section of the scenario that it names an entry of, and what that is called.
NAMED: Mapping[str, tuple[str, str]] = {
    "site": ("sites", "site"),
    "connection": ("connections", "connection"),
    "gateway": ("gateways", "gateway"),
    "vnet": ("vnets", "VNet"),
    "clients": ("clients", "group of clients"),
}
#: Field of a fault -> section of its site, and what an entry is called.
AT_SITE: Mapping[str, tuple[str, str]] = {
    "internet": ("internet", "internet access"),
    "device": ("devices", "device"),
}


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Look at the names in faults that lead nowhere."""
    faults = data.get("faults")
    for index, fault in enumerate(faults) if isinstance(faults, list) else ():
        if not isinstance(fault, dict):
            continue
        for field, (section, what) in NAMED.items():
            found.look(("faults", index, field), fault, _names(data, section), what)
        site = fault.get("site")
        for field, (section, what) in AT_SITE.items():
            known = _names(data, "sites", site if isinstance(site, str) else "", section)
            if known:
                found.look(("faults", index, field), fault, known, what)


def _names(data: Mapping[str, Any], *path: str) -> Collection[str]:
    place: Any = data
    for step in path:
        place = place.get(step) if isinstance(place, Mapping) else None
    return place if isinstance(place, dict) else {}


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Faults that are well written and still cannot be."""
    for index, fault in parts.faults.items():
        yield from _times(("faults", index), fault, parts.run, tree)
        yield from _instance(index, fault, parts, tree)
        yield from _connection(index, fault, parts, tree)
        if isinstance(fault, ZoneOutage):
            yield from _zone(index, fault, parts, tree)
    yield from _overlaps(parts, tree)


def _times(path: TreePath, fault: FaultSchema, run: Run | None, tree: Source) -> Iterator[Problem]:
    at = format_duration(fault.at)
    if run is not None and fault.at >= run.horizon:
        rule = f"lies after the horizon of {format_duration(run.horizon)}"
        yield tree.problem((*path, "at"), rule, "set it earlier, or run longer")
    if fault.duration is not None and fault.until is not None:
        rule = "a fault has duration or until, not both"
        yield tree.problem((*path, "until"), rule, "remove one of them", key=True)
    elif fault.until is not None and fault.until <= fault.at:
        rule = f"must be after the fault begins at {at}"
        yield tree.problem((*path, "until"), rule, "swap them")


def _instance(index: int, fault: FaultSchema, parts: Parts, tree: Source) -> Iterator[Problem]:
    instance = getattr(fault, "instance", None)
    gateway = parts.gateways.get(getattr(fault, "gateway", ""))
    if instance is not None and gateway is not None and instance >= gateway.instances:
        rule = f"the gateway has {gateway.instances} instances, numbered from 0"
        fix = f"write 0 to {gateway.instances - 1}"
        yield tree.problem(("faults", index, "instance"), rule, fix)


def _connection(index: int, fault: FaultSchema, parts: Parts, tree: Source) -> Iterator[Problem]:
    """A peering has neither tunnels nor sessions, and static routing has no session."""
    connection = parts.connections.get(getattr(fault, "connection", None) or "")
    if getattr(connection, "type", "") == "peering":
        rule = "a peering has no tunnels"
        yield tree.problem(("faults", index, "connection"), rule, "name one of type ipsec")
    if isinstance(fault, BgpSessionReset) and getattr(connection, "routing", "bgp") != "bgp":
        rule = f"{fault.connection} has static routing and no BGP session"
        fix = "name a connection with routing: bgp, or a circuit"
        yield tree.problem(("faults", index, "connection"), rule, fix)


def _zone(index: int, fault: ZoneOutage, parts: Parts, tree: Source) -> Iterator[Problem]:
    """A zone that holds no gateway instance: nothing of the design would be struck."""
    gateways = [*parts.gateways.items(), *parts.expressroute_gateways.items()]
    there = {
        name: getattr(gateway, "zones", ())
        for name, gateway in gateways
        if getattr(gateway, "vnet", "") == fault.vnet
    }
    if fault.vnet in parts.vnets and not any(fault.zone in zones for zones in there.values()):
        name = next(iter(there), "")
        rule = f"no gateway of {fault.vnet} has instances in this zone"
        fix = f"write zones: [1, 2, 3] at gateway {name}" if name else "add a gateway with zones"
        yield tree.problem(("faults", index, "zone"), rule, fix)


def _overlaps(parts: Parts, tree: Source) -> Iterator[Problem]:
    """Two faults of a kind on one thing at one time say different things of it.

    Where a kind has no `TARGET` its faults add up, and only two that are alike are refused.
    """
    by_target: dict[tuple[object, ...], list[tuple[float, float, int]]] = {}
    for index, fault in parts.faults.items():
        stretch = (fault.at, fault.end_s, index)
        by_target.setdefault(_target(fault), []).append(stretch)
    for stretches in by_target.values():
        stretches.sort()
        for (_, end_s, earlier), (at_s, _, index) in itertools.pairwise(stretches):
            if at_s < end_s:
                line = tree.mark(("faults", earlier)).line
                same = _values(parts.faults[earlier]) == _values(parts.faults[index])
                rule = (
                    f"begins before the same fault of line {line} ends"
                    if same
                    else f"contradicts the fault of line {line}, which has not ended"
                )
                fix = "shorten one, or make them one fault"
                yield tree.problem(("faults", index, "at"), rule, fix)


def _values(fault: FaultSchema) -> dict[str, object]:
    return fault.model_dump(mode="json", by_alias=True, exclude=set(TIMES))


def _target(fault: FaultSchema) -> tuple[object, ...]:
    """What tells that two faults are of one kind and strike one thing."""
    module = next(module for _, module in FAULTS.items() if module.Schema is type(fault))
    values = _values(fault)
    names = getattr(module, "TARGET", tuple(values))
    return tuple((name, str(values[name])) for name in ("kind", *names))
