"""What traffic needs to make sense: two places that connections join, times within the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from simulator.base.errors import Problem
from simulator.base.fields import TrafficSchema
from simulator.base.units import format_duration
from simulator.catalog import Catalog
from simulator.components import described, sections
from simulator.draft import INTERNET
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_map, entries, places, subnets
from simulator.scenario.source import Source, TreePath
from simulator.traffic.transfers import Transfers

if TYPE_CHECKING:
    from simulator.scenario.model import Run
    from simulator.scenario.parts import Parts

#: Sections without which connections are still known to join places.
_JOIN_NOTHING: Final = frozenset({"vnets", "sites", "paths"})


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Ends of traffic that are no places, and targets of streams that are none."""
    known = {**places(data), INTERNET: None}
    for section in sections().values():
        known |= as_map(data.get(section.name)) if section.has_places else {}
    for name, stream in entries(data.get("traffic")):
        found.look(("traffic", name, "from"), stream, known, "site, VNet or group of clients")
        # Traffic to clients has a rule of its own.
        found.look(("traffic", name, "to"), stream, known, "site or VNet")
    streams = as_map(data.get("traffic"))
    for held in as_map(as_map(data.get("targets")).get("goodput")):
        found.name(("targets", "goodput", held), held, streams, "stream")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Streams that nothing carries, or that this run cannot simulate."""
    sites, vnets = as_map(tree.data.get("sites")), as_map(tree.data.get("vnets"))
    vnets = {
        **vnets,
        **as_map(tree.data.get("private_endpoints")),
        **subnets(vnets),
    }
    group = _joined(parts)
    all_valid = all(
        len(valid) == len(as_map(tree.data.get(section)))
        for section, valid in parts.sections.items()
        if section not in _JOIN_NOTHING
    )
    for name, stream in parts.traffic.items():
        path: TreePath = ("traffic", name)
        yield from _stream_times(path, stream, parts.run, tree)
        yield from _flow_level_only(path, stream, parts.run, tree)
        ends = (stream.from_, stream.to)
        if stream.from_ == stream.to:
            rule = f"both ends are {stream.to}, which passes nothing of this model"
            yield tree.problem((*path, "to"), rule, "name two places")
        elif all_valid and stream.from_ in parts.clients and stream.to in {**sites, **vnets}:
            if group(stream.from_) != group(stream.to):
                rule = f"no connections join the gateway of {stream.from_} and {stream.to}"
                yield tree.problem((*path, "to"), rule, "add one under connections")
        elif (
            all_valid
            and all(end in sites or end in vnets for end in ends)
            and group(stream.from_) != group(stream.to)
        ):
            yield tree.problem((*path, "to"), *_not_joined(ends, sites, vnets))


def _flow_level_only(
    path: TreePath, stream: TrafficSchema, run: Run | None, tree: Source
) -> Iterator[Problem]:
    """What the packet level cannot simulate."""
    if run is None or run.fidelity == "flow":
        return
    fix = "write run: {fidelity: flow}, or give --fidelity flow"
    if isinstance(stream, Transfers):
        rule = "transfers are simulated at flow level only"
        yield tree.problem((*path, "kind"), rule, fix)
    elif getattr(stream, "profile", None) is not None:
        rule = "a profile of the day is followed at flow level only"
        yield tree.problem((*path, "profile"), rule, fix)


def _not_joined(
    ends: tuple[str, str], sites: Collection[str], vnets: Collection[str]
) -> tuple[str, str]:
    """Rule and fix of traffic between two places that no connections join."""
    if all(end in sites for end in ends) or all(end in vnets for end in ends):
        rule = f"no connections join {ends[0]} and {ends[1]}"
        return rule, "add one under connections, or to each of them"
    site, vnet = ends if ends[0] in sites else ends[::-1]
    rule = f"no connection joins {site} and a gateway in {vnet}"
    return rule, f"add one under connections, with site: {site}"


def _joined(parts: Parts) -> Callable[[str], str]:
    """A function that gives places which connections join, in steps too, the same name."""
    above: dict[str, str] = {}

    def name_of(place: str) -> str:
        while place in above:
            place = above[place]
        return place

    modules = {module.Schema: module for module in described()}
    joined = [
        modules[type(entry)].joins(name, entry, parts)
        for entries in parts.sections.values()
        for name, entry in entries.items()
        if hasattr(modules[type(entry)], "joins")
    ]
    for ends in joined:
        names = [name_of(place) for place in ends]
        for name in names[1:]:
            if name_of(name) != name_of(names[0]):
                above[name_of(name)] = name_of(names[0])
    return name_of


def _stream_times(
    path: TreePath, stream: TrafficSchema, run: Run | None, tree: Source
) -> Iterator[Problem]:
    start = format_duration(stream.start)
    if stream.stop is not None and stream.stop <= stream.start:
        rule = f"must be after the start at {start}"
        yield tree.problem((*path, "stop"), rule, "swap them")
    if run is not None and stream.start >= run.horizon:
        rule = f"lies after the horizon of {format_duration(run.horizon)}"
        yield tree.problem((*path, "start"), rule, "start earlier, or run longer")
