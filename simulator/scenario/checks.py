"""What only the whole scenario shows: names that refer to nothing, and things that make no sense.

References are looked up in the tree as written, so that a dangling name is reported beside wrong
units elsewhere. Checks of sense need values and use every entry that is valid in itself.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from simulator.base.errors import PROBLEMS_PRINTED_MAX, CatalogError, Problem, did_you_mean
from simulator.base.fields import TrafficSchema
from simulator.base.registry import Registry
from simulator.base.units import format_duration
from simulator.catalog import Catalog
from simulator.components import described, kinds_in, sections, type_of
from simulator.draft import INTERNET
from simulator.scenario import (
    client_checks,
    expressroute_checks,
    fault_checks,
    internet_checks,
    nat_checks,
)
from simulator.scenario.model import Run, Scenario
from simulator.scenario.parts import Parts
from simulator.scenario.source import Source, TreePath
from simulator.traffic.transfers import Transfers

if TYPE_CHECKING:
    from simulator.components.connection import IpsecConnection
    from simulator.components.peering import Peering
    from simulator.components.site import Site
    from simulator.components.vnet import Vnet
    from simulator.components.vnet_to_vnet import VnetToVnet

#: Each with some of `references(data, found)`, `sense(parts, tree, catalog)`,
#: `warnings(scenario, tree, catalog)` and `seen_by_platform(site, prefix, parts)`.
CHECKS: Registry[ModuleType] = Registry("subject of checks")
CHECKS.add("expressroute", expressroute_checks)
CHECKS.add("clients", client_checks)
CHECKS.add("nat", nat_checks)
CHECKS.add("internet", internet_checks)
CHECKS.add("faults", fault_checks)

#: Sections without which connections are still known to join places.
_JOIN_NOTHING: Final = frozenset({"vnets", "sites", "paths"})

#: More rows than this in a timeline are a slip of the pen.
TIME_BINS_MAX = 1_000_000


# ---------------------------------------------------------------------------------------------
# References
# ---------------------------------------------------------------------------------------------


def references(tree: Source) -> list[Problem]:
    """Every name that refers to nothing, with the nearest that exists."""
    data = tree.data
    vnets, sites = _map(data.get("vnets")), _map(data.get("sites"))
    gateways, connections = _map(data.get("gateways")), _map(data.get("connections"))
    subnets = internet_checks.subnets(vnets)
    places = {**sites, **vnets, **_map(data.get("private_endpoints")), **subnets}
    places_of_traffic = {**places, INTERNET: None}
    for section in sections().values():
        places_of_traffic |= _map(data.get(section.name)) if section.has_places else {}
    found = Dangling(tree)
    _named_in_fields(data, found)
    for name, gateway in _entries(gateways):
        found.look(("gateways", name, "vnet"), gateway, vnets, "VNet")
        found.look(("gateways", name, "default_site"), gateway, sites, "site")
        auth = _map(_map(gateway.get("p2s")).get("auth"))
        found.look(("gateways", name, "p2s", "auth", "server"), auth, places, "site or VNet")
    for name, site in _entries(sites):
        providers = _map(site.get("internet"))
        for device, fields in _entries(_map(site.get("devices"))):
            path = ("sites", name, "devices", device, "internet")
            found.look(path, fields, providers, f"internet access of {name}")
            preferences: TreePath = (*path[:-1], "bgp", "local_preference")
            for preferred in _map(_map(fields.get("bgp")).get("local_preference")):
                found.name((*preferences, preferred), preferred, connections, "connection")
    for name, connection in _entries(connections):
        found.look(("connections", name, "gateway"), connection, gateways, "gateway")
        found.look(("connections", name, "site"), connection, sites, "site")
        devices = _map(_map(sites.get(_text(connection.get("site")))).get("devices"))
        listed = connection.get("devices")
        for index, device in enumerate(listed) if isinstance(listed, list) else ():
            if devices:
                found.name(("connections", name, "devices", index), device, devices, "device")
        for field, known, what in (("gateways", gateways, "gateway"), ("vnets", vnets, "VNet")):
            ends = connection.get(field)
            for index, end in enumerate(ends) if isinstance(ends, list) else ():
                found.name(("connections", name, field, index), end, known, what)
    for _, subject in CHECKS.items():
        if hasattr(subject, "references"):
            subject.references(data, found)
    for name, path_entry in _entries(_map(data.get("paths"))):
        providers = _map(_map(sites.get(_text(path_entry.get("from")))).get("internet"))
        if providers:
            found.look(("paths", name, "internet"), path_entry, providers, "internet access")
    for name, stream in _entries(_map(data.get("traffic"))):
        found.look(
            ("traffic", name, "from"), stream, places_of_traffic, "site, VNet or group of clients"
        )
        # Traffic to clients has a rule of its own.
        found.look(("traffic", name, "to"), stream, places_of_traffic, "site or VNet")
    streams = _map(data.get("traffic"))
    for held in _map(_map(data.get("targets")).get("goodput")):
        found.name(("targets", "goodput", held), held, streams, "stream")
    return found.problems


def _named_in_fields(data: Mapping[str, Any], found: Dangling) -> None:
    """Entries that components say their fields name (`REFERS`)."""
    known = sections()
    for section in known.values():
        modules = kinds_in(section.name)
        for name, entry in _entries(_map(data.get(section.name))):
            for module in modules:
                if section.is_typed and entry.get("type") != type_of(module):
                    continue
                for field, other in getattr(module, "REFERS", {}).items():
                    noun = known[other].noun if other in known else other
                    path = (section.name, name, field)
                    found.look(path, entry, _map(data.get(other)), noun)


class Dangling:
    """Collects references that lead nowhere."""

    def __init__(self, tree: Source) -> None:
        self._tree = tree
        self.problems: list[Problem] = []

    def look(
        self, path: TreePath, entry: Mapping[str, Any], known: Collection[str], what: str
    ) -> None:
        """Look at the field that `path` ends with."""
        self.name(path, entry.get(str(path[-1])), known, what)

    def name(self, path: TreePath, name: Any, known: Collection[str], what: str) -> None:
        """Look at one name; whatever is no text is for the field itself to refuse."""
        if not isinstance(name, str) or name in known or self._tree.is_spoilt(path):
            return
        fix = "name one that exists"
        if len(self.problems) < PROBLEMS_PRINTED_MAX:
            # Looking for the nearest takes time, so only for what is printed.
            fix = did_you_mean(name, known)
        rule = f"there is no {what} of this name"
        self.problems.append(self._tree.problem(path, rule, fix))


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _entries(section: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in section.items():
        if isinstance(entry, dict):
            yield name, entry


# ---------------------------------------------------------------------------------------------
# Sense
# ---------------------------------------------------------------------------------------------


def sense(parts: Parts, tree: Source, catalog: Catalog) -> list[Problem]:
    """Everything that is well written and still cannot be."""
    return [
        *_run(parts, tree),
        *_address_spaces(parts, tree),
        *_public_names(parts, tree),
        *_gateways(parts, tree, catalog),
        *_sites(parts, tree),
        *_connections(parts, tree, catalog),
        *_paths(parts, tree),
        *_traffic(parts, tree),
        *chain.from_iterable(subject.sense(parts, tree, catalog) for _, subject in CHECKS.items()),
    ]


def _run(parts: Parts, tree: Source) -> Iterator[Problem]:
    run = parts.run
    if run is None:
        return
    horizon = format_duration(run.horizon)
    if run.warm_up >= run.horizon:
        rule = f"the warm-up must end before the horizon of {horizon}"
        yield tree.problem(("run", "warm_up"), rule, "shorten it")
    if run.time_bin > run.horizon:
        rule = f"a time bin must not be longer than the horizon of {horizon}"
        yield tree.problem(("run", "time_bin"), rule, f"write {horizon} or less")
    if run.horizon / run.time_bin > TIME_BINS_MAX:
        least = format_duration(run.horizon / TIME_BINS_MAX)
        rule = f"a horizon of {horizon} has more than {TIME_BINS_MAX} time bins"
        yield tree.problem(("run", "time_bin"), rule, f"write {least} or more")
    yield from _zoom(run, tree)


def _zoom(run: Run, tree: Source) -> Iterator[Problem]:
    """A window can only be in a run at flow level, before its end."""
    if run.zoom is None:
        return
    if run.fidelity == "packet":
        rule = "only a run at flow level has windows at packet level; this one is all packets"
        fix = "write fidelity: flow under run, give --fidelity flow, or remove zoom"
        yield tree.problem(("run", "zoom"), rule, fix)
    horizon = format_duration(run.horizon)
    times_s = () if isinstance(run.zoom.around, str) else run.zoom.around
    for index, time_s in enumerate(times_s):
        if time_s >= run.horizon:
            rule = f"lies after the horizon of {horizon}"
            fix = "name an earlier time, or run longer"
            yield tree.problem(("run", "zoom", "around", index), rule, fix)
    if run.zoom.at_most < run.zoom.before + run.time_bin:
        least = format_duration(run.zoom.before + run.time_bin)
        rule = f"no window fits: it lasts at least {least}, before and one time bin"
        yield tree.problem(("run", "zoom", "at_most"), rule, f"write {least} or more")


@dataclass(frozen=True)
class _Range:
    """A prefix with its place and what it is called in a message."""

    prefix: IPv4Network
    path: TreePath
    name: str


def _address_spaces(parts: Parts, tree: Source) -> Iterator[Problem]:
    """Prefixes that contain one another would make routes ambiguous, but for those behind NAT."""
    ranges = [
        _Range(prefix, ("vnets", name, "address_space", index), f"{prefix} of {name}")
        for name, vnet in parts.vnets.items()
        for index, prefix in enumerate(vnet.address_space)
    ]
    for name, site in parts.sites.items():
        for index, prefix in enumerate(site.address_space):
            path: TreePath = ("sites", name, "address_space", index)
            for outside in _seen_by_platform(name, prefix, parts):
                seen = "" if outside == prefix else f", seen as {outside}"
                ranges.append(_Range(outside, path, f"{prefix} of {name}{seen}"))
    yield from _overlaps(ranges, tree, "address spaces must be disjoint", "R018")
    for name, vnet in parts.vnets.items():
        yield from _subnets(name, vnet, tree)


def _seen_by_platform(site: str, prefix: IPv4Network, parts: Parts) -> Collection[IPv4Network]:
    """The addresses in which the platform sees a prefix of a site."""
    for _, subject in CHECKS.items():
        if hasattr(subject, "seen_by_platform"):
            seen: Collection[IPv4Network] = subject.seen_by_platform(site, prefix, parts)
            return seen
    return (prefix,)


def _overlaps(ranges: list[_Range], tree: Source, fix: str, rule_id: str = "") -> Iterator[Problem]:
    """For each range that overlaps another, a problem at the one written later.

    In order of first address an overlap is with the range that reaches furthest so far.
    """
    widest: _Range | None = None
    for one in sorted(ranges, key=lambda r: (int(r.prefix.network_address), r.prefix.prefixlen)):
        if widest is not None and one.prefix.overlaps(widest.prefix):
            earlier, later = sorted((widest, one), key=lambda r: _order(tree, r.path))
            named = f" (rule {rule_id})" if rule_id else ""
            yield tree.problem(later.path, f"overlaps {earlier.name}{named}", fix)
        if widest is None or one.prefix.broadcast_address > widest.prefix.broadcast_address:
            widest = one


def _order(tree: Source, path: TreePath) -> tuple[bool, str, int, int]:
    """Sorts by place; an override, which has no line, comes after every file."""
    mark = tree.mark(path)
    return (not mark.line, mark.file, mark.line, mark.col)


def _subnets(name: str, vnet: Vnet, tree: Source) -> Iterator[Problem]:
    ranges = [
        _Range(subnet.prefix, ("vnets", name, "subnets", key, "prefix"), f"subnet {key}")
        for key, subnet in vnet.subnets.items()
    ]
    if vnet.gateway_subnet is not None:
        path: TreePath = ("vnets", name, "gateway_subnet")
        ranges.append(_Range(vnet.gateway_subnet, path, f"GatewaySubnet {vnet.gateway_subnet}"))
    spaces = sorted(collapse_addresses(vnet.address_space))
    for one in ranges:
        below = bisect(spaces, one.prefix.network_address, key=lambda s: s.network_address) - 1
        if below < 0 or not one.prefix.subnet_of(spaces[below]):
            listed = ", ".join(str(space) for space in vnet.address_space[:3])
            rule = f"must lie inside the VNet's address space, {listed}"
            fix = f"write for example {_example_subnet(vnet.address_space[0])}"
            yield tree.problem(one.path, rule, fix)
    yield from _overlaps(ranges, tree, "subnets must be disjoint")


def _example_subnet(space: IPv4Network) -> IPv4Network:
    """The last /27 of an address space, where a GatewaySubnet usually lies."""
    if space.prefixlen >= 27:
        return space
    return IPv4Network((int(space.broadcast_address) - 31, 27))


def _public_names(parts: Parts, tree: Source) -> Iterator[Problem]:
    """A name that stands for both a site and a VNet, an address of two devices."""
    for name in parts.sites:
        if name in parts.vnets:
            rule = "a site and a VNet have the same name"
            fix = "rename one of them: traffic refers to both by name"
            yield tree.problem(("sites", name), rule, fix, key=True)
    owners: dict[tuple[object, bool], str] = {}
    for name, site in parts.sites.items():
        for device_name, device in site.devices.items():
            path = ("sites", name, "devices", device_name, "public_ip")
            # Devices behind one NAT share its address.
            if device.public_ip is None:
                continue
            owner = owners.setdefault((device.public_ip, False), f"{name}.{device_name}")
            if owner != f"{name}.{device_name}" and not device.behind_nat:
                rule = f"is the public address of {owner} too"
                fix = "give each device its own"
                yield tree.problem(path, rule, fix)


def _gateways(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    in_vnet: dict[str, str] = {}
    for name, gateway in parts.gateways.items():
        other = in_vnet.setdefault(gateway.vnet, name)
        if other != name:
            rule = f"the VNet has a VPN gateway already, {other} (rule R001)"
            fix = "a VNet has one VPN gateway at most"
            yield tree.problem(("gateways", name, "vnet"), rule, fix)
        vnet = parts.vnets.get(gateway.vnet)
        if vnet is not None and vnet.gateway_subnet is None:
            rule = f"VNet {gateway.vnet} has no GatewaySubnet for the gateway (rule R008)"
            fix = f"add gateway_subnet: {_example_subnet(vnet.address_space[0])} to it"
            yield tree.problem(("gateways", name, "vnet"), rule, fix)
        try:
            catalog.vpn_gateway_sku(gateway.sku, gateway.generation)
        except CatalogError as error:
            _, _, reason = str(error).partition(": ")
            rule, _, fix = reason.partition("; ")
            path = ("gateways", name, "generation")
            yield tree.problem(path, f"{rule} (rule R146)", fix)


def _sites(parts: Parts, tree: Source) -> Iterator[Problem]:
    for name, site in parts.sites.items():
        for device_name, device in site.devices.items():
            path: TreePath = ("sites", name, "devices", device_name)
            if device.public_ip is not None and not site.internet:
                rule = "the site has no access to the internet for this address"
                fix = "add internet: {isp: {down: ..., up: ...}} to the site"
                yield tree.problem((*path, "public_ip"), rule, fix)
            elif device.public_ip is not None and device.internet is None:
                providers = ", ".join(site.internet)
                rule = "the site has several providers, so the device must say which it uses"
                yield tree.problem((*path, "internet"), rule, f"write internet: one of {providers}")
            bgp = device.bgp
            if bgp is not None and bgp.keepalive >= bgp.hold:
                rule = f"must be shorter than the hold time of {format_duration(bgp.hold)}"
                fix = f"a third of it is usual: {format_duration(bgp.hold / 3)}"
                yield tree.problem((*path, "bgp", "keepalive"), rule, fix)


def _connections(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    builders: dict[tuple[str, str, str], str] = {}
    for name, connection in parts.connections.items():
        path: TreePath = ("connections", name)
        if connection.type in {"ipsec", "vnet-to-vnet"}:
            yield from _suite(path, connection, tree, catalog)
        if connection.type == "vnet-to-vnet":
            yield from _vnet_to_vnet(path, connection, parts, tree)
        if connection.type == "peering":
            yield from _peering(path, connection, parts, tree)
        if connection.type != "ipsec":
            continue
        site = parts.sites.get(connection.site)
        if site is None:
            continue
        devices = _device_names(connection, site)
        if connection.devices is None and not devices:
            rule = f"no device of {connection.site} has a public_ip (rule R030)"
            fix = "add public_ip to the device that builds tunnels"
            yield tree.problem((*path, "site"), rule, fix)
        for device in dict.fromkeys(devices):
            if site.devices[device].public_ip is None:
                rule = f"device {device} has no public_ip, so it builds no tunnels (rule R030)"
                fix = "add public_ip to the device, or list another"
                yield tree.problem((*path, "devices"), rule, fix)
        for repeated in sorted({d for d in devices if devices.count(d) > 1}):
            rule = f"device {repeated} is listed twice"
            yield tree.problem((*path, "devices"), rule, "list each device once")
        for device in dict.fromkeys(devices):
            other = builders.setdefault((connection.gateway, connection.site, device), name)
            if other != name:
                rule = f"device {device} has tunnels to {connection.gateway} already, by {other}"
                fix = "remove one of the two, or divide the devices"
                yield tree.problem(path, rule, fix, key=True)
            speaker = site.devices[device].bgp
            if connection.routing == "bgp" and speaker is None:
                rule = f"device {device} of {connection.site} has no bgp"
                fix = "add bgp: {asn: ..., peer_ip: ...} to the device, or write routing: static"
                yield tree.problem((*path, "routing"), rule, fix)
            elif connection.routing == "bgp" and speaker is not None and speaker.peer_ip is None:
                rule = f"BGP over {name} needs the address of the speaker in the tunnel"
                place = ("sites", connection.site, "devices", device, "bgp")
                yield tree.problem(place, rule, "add peer_ip: for example 192.168.255.1", key=True)


def _vnet_to_vnet(
    path: TreePath, connection: VnetToVnet, parts: Parts, tree: Source
) -> Iterator[Problem]:
    gateways = [parts.gateways.get(name) for name in connection.gateways]
    if connection.gateways[0] == connection.gateways[1]:
        rule = f"both ends are {connection.gateways[0]}"
        yield tree.problem((*path, "gateways"), rule, "name the gateways of two VNets")
        return
    for index, gateway in enumerate(gateways):
        if gateway is not None and gateway.vpn_type == "policy-based":
            rule = "a VNet-to-VNet connection needs route-based gateways (rule R105)"
            fix = f"write vpn_type: route-based for {connection.gateways[index]}"
            yield tree.problem((*path, "gateways", index), rule, fix)


def _peering(path: TreePath, peering: Peering, parts: Parts, tree: Source) -> Iterator[Problem]:
    spoke = peering.use_remote_gateways
    gateways: dict[str, Any] = {**parts.gateways, **parts.expressroute_gateways}
    own = next((name for name, g in gateways.items() if g.vnet == spoke), None)
    if own is not None:
        rule = f"{spoke} has a gateway of its own, {own}, so it uses none of a peer (rule R112)"
        yield tree.problem((*path, "use_remote_gateways"), rule, "remove one of the two")


def _device_names(connection: IpsecConnection, site: Site) -> Sequence[str]:
    if connection.devices is None:
        return [name for name, device in site.devices.items() if device.public_ip is not None]
    return [device for device in connection.devices if device in site.devices]


def _suite(
    path: TreePath, connection: IpsecConnection | VnetToVnet, tree: Source, catalog: Catalog
) -> Iterator[Problem]:
    ipsec = connection.ipsec
    try:
        catalog.esp_suite(ipsec.encryption, ipsec.integrity)
    except CatalogError as error:
        _, _, reason = str(error).partition(": ")
        rule, _, fix = reason.partition("; ")
        yield tree.problem((*path, "ipsec", "integrity"), rule, fix)


def _paths(parts: Parts, tree: Source) -> Iterator[Problem]:
    covered: dict[tuple[str, str, str], str] = {}
    for name, path in parts.paths.items():
        site = parts.sites.get(path.from_)
        providers = [path.internet] if path.internet else list(site.internet) if site else []
        for provider in providers:
            other = covered.setdefault((path.from_, path.to, provider), name)
            if other != name:
                rule = f"path {other} is from {path.from_} to {path.to} by {provider} too"
                yield tree.problem(("paths", name), rule, "remove one of the two", key=True)


def _traffic(parts: Parts, tree: Source) -> Iterator[Problem]:
    sites, vnets = _map(tree.data.get("sites")), _map(tree.data.get("vnets"))
    vnets = {
        **vnets,
        **_map(tree.data.get("private_endpoints")),
        **internet_checks.subnets(vnets),
    }
    group = _joined(parts)
    all_valid = all(
        len(valid) == len(_map(tree.data.get(section)))
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
    for places in joined:
        names = [name_of(place) for place in places]
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


# ---------------------------------------------------------------------------------------------
# Warnings
# ---------------------------------------------------------------------------------------------


def warnings(scenario: Scenario, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """What is accepted and should still be known."""
    for _, subject in CHECKS.items():
        if hasattr(subject, "warnings"):
            yield from subject.warnings(scenario, tree, catalog)
