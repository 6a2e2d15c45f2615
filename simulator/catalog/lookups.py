"""Look-ups in the catalogue of one era: from a name to a typed value with its provenance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, TypeVar

from simulator.base.errors import CatalogError, did_you_mean, quote
from simulator.base.units import format_rate
from simulator.catalog.tables import Row, Table, read_table
from simulator.catalog.values import (
    Application,
    Codec,
    Default,
    Device,
    EspSuite,
    ExpressRouteCircuit,
    ExpressRouteGatewaySku,
    ExpressRouteParameter,
    ExpressRoutePort,
    GatewayLatency,
    Limit,
    Origin,
    P2sProtocol,
    PacketMix,
    PeeringLocation,
    Region,
    Rtt,
    Sourced,
    Timer,
    TunnelPerformance,
    VpnGatewaySku,
)

S = TypeVar("S", bound=Sourced)

#: SKU, encryption or integrity of a row of tunnel performance that holds for all of them.
ANY = "any"


@dataclass(frozen=True)
class Catalog:
    """The catalogue as it holds in one era; make one with `load_catalog`."""

    era: str

    # --- tables -----------------------------------------------------------------------------

    def table(self, name: str, *, all_eras: bool = False) -> Table:
        """Return a table with the rows that hold in this era, or with all of its rows."""
        return read_table(name) if all_eras else _table_in_era(name, self.era)

    def names(self, subject: str) -> tuple[str, ...]:
        """List the names of a subject: rows of a table, or algorithms such as `pfs-groups`."""
        return _names(self, subject)

    def _rows(self, table: str, value: str, what: str = "") -> tuple[Row, ...]:
        """Return the rows of a name in this era, or raise with the nearest names."""
        found = _by_key(table, self.era).get(value)
        if found:
            return found
        shown, subject = self.table(table), f"{what or table} '{quote(value)}'"
        fix = did_you_mean(value, shown.names())
        same_name = (row for row in read_table(table).rows if row[shown.key] == value)
        other_eras = ", ".join(dict.fromkeys(row.text("era") for row in same_name))
        if other_eras:
            fix = "choose that era" if shown.key == "id" else f"choose that era, or: {fix}"
            raise CatalogError(f"{subject}: exists in era {other_eras}, not in {self.era}; {fix}")
        raise CatalogError(f"{subject}: is not in the catalogue, era {self.era}; {fix}")

    # --- gateways and tunnels -----------------------------------------------------------------

    def vpn_gateway_sku(self, name: str, generation: int | None = None) -> VpnGatewaySku:
        """Look up a VPN gateway SKU.

        Where it exists in generations 1 and 2 and none is asked for, the default
        `gateway.generation` decides: what deployment tools take, and the lower throughput.

        Raises
        ------
        CatalogError
            If the era has no such SKU, or not in the generation asked for.
        """
        rows = self._rows("vpn-gateway-skus", name, "VPN gateway SKU")
        by_generation = {_generation(row): row for row in rows}
        wanted = generation
        if wanted is None and len(by_generation) > 1:
            wanted = int(self.default("gateway.generation").value)
        elif wanted is None:
            wanted = next(iter(by_generation))
        if wanted not in by_generation:
            known = [str(g) for g in by_generation if g is not None]
            has = f"has generation {' and '.join(known)}" if known else "has no generation"
            raise CatalogError(
                f"VPN gateway SKU '{name}', generation {wanted}: {has} in era {self.era}; "
                "leave the generation out"
            )
        row = by_generation[wanted]
        return _value(VpnGatewaySku, row, "vpn-gateway-skus", name, {"generation": wanted})

    def tunnel_performance(
        self, sku: str, generation: int | None, encryption: str, integrity: str
    ) -> TunnelPerformance:
        """Look up what one tunnel of a SKU carries with an IPsec suite.

        A suite that the table does not list gets the row that `esp-suites` names for it (the same
        class of cipher: GCM, CBC or 3DES); a SKU that it does not list gets the row of its
        zone-redundant twin, or the other way round. Such a value is an `estimate`.

        Raises
        ------
        CatalogError
            If the SKU or the suite is unknown, or nothing stands in for it.
        """
        suite = self.esp_suite(encryption, integrity)
        gateway = self.vpn_gateway_sku(sku, generation)
        own = self._tunnel_rows(gateway.name, gateway.generation)
        rows = own or self._twin_tunnel_rows(gateway)
        listed = rows.get((encryption, integrity)) or rows.get((ANY, ANY))
        row = listed or rows.get((suite.performance_encryption, suite.performance_integrity))
        if row is None:
            raise CatalogError(
                f"tunnel performance of '{sku}': has no row in era {self.era}; "
                "add one to vpn-tunnel-performance.csv"
            )
        key = f"{row['sku']} {row['encryption']}/{row['integrity']}"
        given = {
            "sku": gateway.name,
            "generation": gateway.generation,
            "encryption": encryption,
            "integrity": integrity,
        }
        found = _value(TunnelPerformance, row, "vpn-tunnel-performance", key, given)
        if own and listed:
            return found
        return _stands_in(found, f"{sku} {encryption}/{integrity}")

    def _tunnel_rows(self, sku: str, generation: int | None) -> Mapping[tuple[str, str], Row]:
        rows = _by_key("vpn-tunnel-performance", self.era).get(sku, ())
        return {
            (row.text("encryption"), row.text("integrity")): row
            for row in rows
            if _generation(row) == generation
        }

    def _twin_tunnel_rows(self, gateway: VpnGatewaySku) -> Mapping[tuple[str, str], Row]:
        for row in self.table("vpn-gateway-skus").where(family=gateway.family):
            rows = self._tunnel_rows(row.text("name"), gateway.generation)
            if rows:
                return rows
        return {}

    def gateway_latency(self, sku: str, load: str = "idle") -> GatewayLatency:
        """Look up the latency that a traversal of a gateway adds; `load` is idle or loaded."""
        family = self._rows("vpn-gateway-skus", sku, "VPN gateway SKU")[0].text("family")
        by_load = {row.text("load"): row for row in self._rows("gateway-latency", family)}
        if load not in by_load:
            fix = did_you_mean(load, by_load)
            raise CatalogError(f"gateway latency, load '{quote(load)}': is not known; {fix}")
        return _value(GatewayLatency, by_load[load], "gateway-latency", f"{family} {load}")

    def esp_suite(self, encryption: str, integrity: str) -> EspSuite:
        """Look up the bytes that ESP adds with an IPsec encryption and integrity."""
        rows = self._rows("esp-suites", encryption, "IPsec encryption")
        by_integrity = {row.text("integrity"): row for row in rows}
        if integrity not in by_integrity:
            fix = did_you_mean(integrity, by_integrity)
            raise CatalogError(
                f"IPsec integrity '{quote(integrity)}': does not go with {encryption}; {fix}"
            )
        row = by_integrity[integrity]
        return _value(EspSuite, row, "esp-suites", f"{encryption}/{integrity}")

    # --- ExpressRoute ---------------------------------------------------------------------------

    def expressroute_gateway_sku(
        self, name: str, scale_units: int | None = None
    ) -> ExpressRouteGatewaySku:
        """Look up an ExpressRoute gateway SKU, a scalable one with its number of scale units.

        What each scale unit adds is summed over the units. Where the provider's sample of a size
        has other packets per second than this sum, the value is a `conflict` and says so.

        Raises
        ------
        CatalogError
            If the era has no such SKU, or not with these scale units.
        """
        rows = self._rows("expressroute-gateway-skus", name, "ExpressRoute gateway SKU")
        scaled = [row for row in rows if row.flag("per_scale_unit")]
        if not scaled:
            if scale_units is not None:
                raise CatalogError(
                    f"ExpressRoute gateway SKU '{name}': has no scale units; leave them out"
                )
            given = {"scale_units": None}
            return _value(ExpressRouteGatewaySku, rows[0], "expressroute-gateway-skus", name, given)
        last = max(row.count("scale_units_max") for row in scaled)
        if scale_units is None or not 1 <= scale_units <= last:
            raise CatalogError(
                f"ExpressRoute gateway SKU '{name}', scale units {scale_units}: must be 1 to {last}"
                "; write for example scale_units: 2"
            )
        return _scaled(rows, scaled, name, scale_units)

    def expressroute_circuit(
        self, bandwidth_bps: float, *, is_direct: bool = False
    ) -> ExpressRouteCircuit:
        """Look up a size of circuits by its bandwidth.

        Raises
        ------
        CatalogError
            If circuits of this bandwidth are not sold.
        """
        rows = self.table("expressroute-circuits").rows
        sold = [row for row in rows if is_direct or row["name"] == "provider circuit"]
        for row in sold:
            if row["bandwidth_bps"] == bandwidth_bps:
                key = f"{row['name']} {format_rate(bandwidth_bps)}"
                return _value(ExpressRouteCircuit, row, "expressroute-circuits", key)
        raise _not_sold("circuit", bandwidth_bps, sold)

    def expressroute_port(self, bandwidth_bps: float) -> ExpressRoutePort:
        """Look up a pair of ExpressRoute Direct ports by the rate of one port.

        Raises
        ------
        CatalogError
            If there is no such port.
        """
        rows = self.table("expressroute-ports").rows
        for row in rows:
            if row["bandwidth_bps"] == bandwidth_bps:
                return _value(ExpressRoutePort, row, "expressroute-ports", row.text("name"))
        raise _not_sold("ExpressRoute Direct port", bandwidth_bps, rows)

    def expressroute_parameter(self, name: str) -> ExpressRouteParameter:
        """Look up a stated property of ExpressRoute, for example `FastPath IPs, Direct 10G`."""
        table = "expressroute-parameters"
        return self._single(ExpressRouteParameter, table, name, "ExpressRoute parameter")

    def mtu_bytes(self, name: str) -> int:
        """Look up a packet size of the table `mtu` by its name."""
        return self._rows("mtu", name)[0].count("size_bytes")

    def peering_location(self, name: str) -> PeeringLocation:
        """Look up a peering location by name."""
        return self._single(PeeringLocation, "peering-locations", name, "peering location")

    # --- places and distances --------------------------------------------------------------------

    def region(self, name: str) -> Region:
        """Look up a region by display name or name in templates, whatever the case and spaces."""
        row = _regions_by_folded_name().get(_fold(name))
        if row is None:
            row = self._rows("regions", name, "region")[0]
        return _value(Region, row, "regions", row.text("name"))

    def rtt_s(self, from_region: str, to_region: str) -> Rtt:
        """Look up the median round-trip time between two regions.

        It is taken from the matrix, else from its entry of the other direction, else estimated by
        distance. Inside one region it is the default `region.same_region_rtt`.
        """
        a, b = self.region(from_region), self.region(to_region)
        if a.name == b.name:
            inside = self.default("region.same_region_rtt")
            origin, value_s = inside.origin, inside.value
            return Rtt(origin=origin, from_place=a.name, to_place=b.name, value_s=value_s)
        matrix = _rtt_matrix()
        row = matrix.get((a.name, b.name)) or matrix.get((b.name, a.name))
        if row is None:
            return self._rtt_by_distance(a.name, (a.latitude_deg, a.longitude_deg), b)
        key = f"{row['from_region']} - {row['to_region']}"
        given = {"from_place": a.name, "to_place": b.name, "value_s": row.number("rtt_s_p50")}
        return _value(Rtt, row, "region-rtt", key, given)

    def zone_rtt_s(self, region: str, from_zone: int, to_zone: int) -> Rtt:
        """Look up the round-trip time between hosts of two availability zones of a region.

        Zones without a measurement get the default `region.same_zone_rtt` or
        `region.other_zone_rtt`.
        """
        name = self.region(region).name
        places = {zone: f"{name}, zone {zone}" for zone in (from_zone, to_zone)}
        given = {"from_place": places[from_zone], "to_place": places[to_zone]}
        pair = sorted((from_zone, to_zone))
        for row in self.table("zone-rtt").where(region=name):
            if sorted((row.count("from_zone"), row.count("to_zone"))) == pair:
                key = f"{name}, zones {pair[0]} and {pair[1]}"
                value_s = row.number("rtt_s_p50")
                return _value(Rtt, row, "zone-rtt", key, given | {"value_s": value_s})
        inside = self.default(f"region.{'same' if from_zone == to_zone else 'other'}_zone_rtt")
        return Rtt(origin=inside.origin, value_s=inside.value, **given)

    def rtt_from_place_s(self, latitude_deg: float, longitude_deg: float, to_region: str) -> Rtt:
        """Estimate the round-trip time between a place on earth and a region by distance."""
        place = f"{latitude_deg:g}, {longitude_deg:g}"
        return self._rtt_by_distance(place, (latitude_deg, longitude_deg), self.region(to_region))

    def rtt_to_location_s(self, latitude_deg: float, longitude_deg: float, location: str) -> Rtt:
        """Estimate the round-trip time between a place on earth and a peering location."""
        place = f"{latitude_deg:g}, {longitude_deg:g}"
        at = (latitude_deg, longitude_deg)
        return self._rtt_by_distance(place, at, self.peering_location(location))

    def rtt_from_location_s(self, location: str, to_region: str) -> Rtt:
        """Look up the median round-trip time between a peering location and a region.

        Through each region of the location's own metro: the short way there by distance, with the
        stretch `expressroute.local_stretch`, then the matrix; the least of them. A location without
        such a region is estimated by distance alone.
        """
        near = self.peering_location(location)
        region = self.region(to_region)
        place = (near.latitude_deg, near.longitude_deg)
        if not near.local_regions:
            return self._rtt_by_distance(location, place, region)
        stretch_ratio = self.default("expressroute.local_stretch").value
        if region.name in near.local_regions:
            return self._rtt_by_distance(location, place, region, stretch_ratio)
        found = []
        for local in near.local_regions:
            there = self._rtt_by_distance(location, place, self.region(local), stretch_ratio)
            beyond = self.rtt_s(local, to_region)
            value_s = there.value_s + beyond.value_s
            found.append(replace(beyond, from_place=location, value_s=value_s))
        return min(found, key=lambda rtt: rtt.value_s)

    def _rtt_by_distance(
        self,
        place: str,
        at: tuple[float, float],
        to: Region | PeeringLocation,
        stretch_ratio: float | None = None,
    ) -> Rtt:
        distance_m = great_circle_m(
            at,
            (to.latitude_deg, to.longitude_deg),
            radius_m=self.default("physics.earth_radius").value,
        )
        rows = self.table("distance-latency").rows
        straight_s = 2 * distance_m / self.default("physics.fibre_speed").value
        same_region_s = self.default("region.same_region_rtt").value
        if stretch_ratio is None:
            stretch_ratio = _stretch_ratio(rows, distance_m)
        note = f"great circle {distance_m / 1000:.0f} km, stretch {stretch_ratio:.2f}"
        origin = _origin(rows[0], "distance-latency", place)
        return Rtt(
            origin=replace(origin, status="estimate", note=note),
            from_place=place,
            to_place=to.name,
            value_s=max(same_region_s, straight_s * stretch_ratio),
        )

    # --- single rows ------------------------------------------------------------------------------

    def timer(self, timer_id: str) -> Timer:
        """Look up a timer by its id, for example `T041`."""
        return self._single(Timer, "timers", timer_id, "timer")

    def default(self, default_id: str) -> Default:
        """Look up a default of the model by its id, for example `gateway.limits.buffer`."""
        return _default(self, default_id)

    def limit(self, limit_id: str) -> Limit:
        """Look up a limit by its id, for example `L001`."""
        return self._single(Limit, "limits", limit_id, "limit")

    def device(self, model: str) -> Device:
        """Look up an on-premises device by its model name."""
        return self._single(Device, "devices", model, "device model")

    def application(self, name: str) -> Application:
        """Look up an application by name."""
        return self._single(Application, "applications", name, "application")

    def p2s_protocol(self, name: str) -> P2sProtocol:
        """Look up a point-to-site protocol by name, for example `ikev2`."""
        return self._single(P2sProtocol, "p2s-protocols", name, "point-to-site protocol")

    def codec(self, name: str) -> Codec:
        """Look up a voice codec by name, for example `G.711`."""
        return self._single(Codec, "voice-codecs", name, "voice codec")

    def packet_mix(self, name: str) -> PacketMix:
        """Look up a packet-size mix by name, with weights that sum to 1."""
        row = self._rows("packet-mixes", name, "packet mix")[0]
        weights = row.numbers("weights")
        total = math.fsum(weights)
        given = {"weights": tuple(weight / total for weight in weights)}
        return _value(PacketMix, row, "packet-mixes", name, given)

    def _single(self, kind: type[S], table: str, name: str, what: str) -> S:
        return _value(kind, self._rows(table, name, what)[0], table, name)


@cache
def _default(catalog: Catalog, default_id: str) -> Default:
    row = catalog._rows("model-defaults", default_id, "default")[0]
    given = {"number": row["value"], "word": row["choice"]}
    return _value(Default, row, "model-defaults", default_id, given)


@cache
def _names(catalog: Catalog, subject: str) -> tuple[str, ...]:
    for row in catalog.table("crypto-support").where(subject=subject):
        return row.texts("options")
    return catalog.table(subject).names()


@cache
def load_catalog(era: str = "current") -> Catalog:
    """Return the catalogue of an era; tables are read from disk when they are first used.

    Raises
    ------
    CatalogError
        If the era is not one of the table `eras`.
    """
    eras = read_table("eras").names()
    if era not in eras:
        fix = did_you_mean(era, eras)
        raise CatalogError(f"era '{quote(era)}': is not in the catalogue; {fix}")
    return Catalog(era)


def great_circle_m(
    from_deg: tuple[float, float], to_deg: tuple[float, float], radius_m: float
) -> float:
    """Return the great-circle distance in metres between two places (haversine formula)."""
    latitude_a, longitude_a = map(math.radians, from_deg)
    latitude_b, longitude_b = map(math.radians, to_deg)
    half_north = math.sin((latitude_b - latitude_a) / 2)
    half_east = math.sin((longitude_b - longitude_a) / 2)
    across = math.cos(latitude_a) * math.cos(latitude_b)
    half_chord_squared = half_north**2 + across * half_east**2
    return 2 * radius_m * math.asin(min(1.0, math.sqrt(half_chord_squared)))


def _stretch_ratio(rows: tuple[Row, ...], distance_m: float) -> float:
    """Interpolate the stretch by the logarithm of distance; flat beyond the rows."""
    points = [(row.number("distance_m"), row.number("stretch_ratio")) for row in rows]
    if distance_m <= points[0][0]:
        return points[0][1]
    for (near_m, near), (far_m, far) in itertools.pairwise(points):
        if distance_m <= far_m:
            share = math.log(distance_m / near_m) / math.log(far_m / near_m)
            return near + share * (far - near)
    return points[-1][1]


def _value(
    kind: type[S], row: Row, table: str, key: str, given: Mapping[str, object] | None = None
) -> S:
    """Make a typed value from the cells of the same names; `given` goes before them."""
    maker: Any = kind
    found: S = _made(maker, row, table, key, tuple((given or {}).items()))
    return found


@cache
def _made(kind: Any, row: Row, table: str, key: str, given: tuple[tuple[str, object], ...]) -> Any:
    """What `_value` returns; the same again for the same question, since it cannot be changed."""
    taken: dict[str, object] = {"origin": _origin(row, table, key), **dict(given)}
    for field in fields(kind):
        if field.name not in taken:
            taken[field.name] = row[field.name]
    return kind(**taken)  # cells have the types of columns.csv (tested)


def _origin(row: Row, table: str, key: str) -> Origin:
    return Origin(
        table=table,
        key=key,
        source=row.text("source"),
        as_of=row.text("as_of"),
        status=row.text("status"),
        note=row.text("note"),
        estimated=row.texts("estimated") if "estimated" in row else (),
    )


def _scaled(
    rows: tuple[Row, ...], scaled: list[Row], name: str, scale_units: int
) -> ExpressRouteGatewaySku:
    """A scalable gateway: what each unit up to `scale_units` adds, summed."""
    sums: dict[str, float] = {}
    for row in scaled:
        first, last = row.count("scale_units_min"), row.count("scale_units_max")
        units = max(0, min(scale_units, last) - first + 1)
        for column in ("bandwidth_bps", "packets_per_s", "connections_per_s"):
            sums[column] = sums.get(column, 0.0) + units * row.number(column)
        for column in ("max_vms", "max_flows"):
            sums[column] = sums.get(column, 0) + units * row.count(column)
        if first <= scale_units <= last:
            own = row
    given: dict[str, object] = {"scale_units": scale_units, **sums}
    key = f"{name} with {scale_units} scale units"
    found = _value(ExpressRouteGatewaySku, own, "expressroute-gateway-skus", key, given)
    samples = [
        row
        for row in rows
        if row["scale_units_min"] == scale_units and not row.flag("per_scale_unit")
    ]
    for sample in samples:
        if sample["packets_per_s"] != found.packets_per_s:
            note = f"a sample of the provider says {sample['packets_per_s']:.0f} packets/s"
            origin = replace(found.origin, status="conflict", note=f"{note}; {found.note}")
            return replace(found, origin=origin)
    return found


def _not_sold(what: str, bandwidth_bps: float, rows: Iterable[Row]) -> CatalogError:
    sizes = sorted({row.number("bandwidth_bps") for row in rows})
    below = [size for size in sizes if size < bandwidth_bps][-1:]
    above = [size for size in sizes if size > bandwidth_bps][:1]
    nearest = " or ".join(format_rate(size) for size in [*below, *above])
    return CatalogError(f"{what} of {format_rate(bandwidth_bps)}: is not sold; choose {nearest}")


def _stands_in(found: TunnelPerformance, asked: str) -> TunnelPerformance:
    note = f"stands in for {asked}, for which nothing is published"
    note = f"{note}; {found.note}" if found.note else note
    return replace(found, origin=replace(found.origin, status="estimate", note=note))


def _generation(row: Row) -> int | None:
    text = row.text("generation")
    return int(text) if text.isdigit() else None


@cache
def _table_in_era(name: str, era: str) -> Table:
    falls_back_to = read_table("eras").where(name=era)[0].text("falls_back_to")
    return read_table(name).in_era(era, falls_back_to)


@cache
def _by_key(table: str, era: str) -> dict[str, tuple[Row, ...]]:
    shown = _table_in_era(table, era)
    grouped: dict[str, list[Row]] = {}
    for row in shown.rows:
        grouped.setdefault(row.text(shown.key), []).append(row)
    return {name: tuple(rows) for name, rows in grouped.items()}


@cache
def _rtt_matrix() -> dict[tuple[str, str], Row]:
    rows = read_table("region-rtt").rows
    return {(row.text("from_region"), row.text("to_region")): row for row in rows}


@cache
def _regions_by_folded_name() -> dict[str, Row]:
    rows = read_table("regions").rows
    return {_fold(row.text(column)): row for row in rows for column in ("arm_name", "name")}


def _fold(name: str) -> str:
    return name.casefold().replace(" ", "")
