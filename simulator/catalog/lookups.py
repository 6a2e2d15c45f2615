"""Look-ups in the catalogue of one era: from a name to a typed value with its provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from simulator.base.errors import CatalogError, did_you_mean, quote
from simulator.base.units import format_rate
from simulator.catalog.places import Places
from simulator.catalog.rows import rows_by_key, typed_value
from simulator.catalog.tables import Row, read_table
from simulator.catalog.values import (
    Application,
    Codec,
    Device,
    EspSuite,
    ExpressRouteCircuit,
    ExpressRouteGatewaySku,
    ExpressRouteParameter,
    ExpressRoutePort,
    GatewayLatency,
    Limit,
    P2sProtocol,
    PacketMix,
    Timer,
    TunnelPerformance,
    VpnGatewaySku,
)

#: SKU, encryption or integrity of a row of tunnel performance that holds for all of them.
ANY = "any"


@dataclass(frozen=True)
class Catalog(Places):
    """The catalogue as it holds in one era; make one with `load_catalog`."""

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
        return typed_value(VpnGatewaySku, row, "vpn-gateway-skus", name, {"generation": wanted})

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
        found = typed_value(TunnelPerformance, row, "vpn-tunnel-performance", key, given)
        if own and listed:
            return found
        return _stands_in(found, f"{sku} {encryption}/{integrity}")

    def _tunnel_rows(self, sku: str, generation: int | None) -> Mapping[tuple[str, str], Row]:
        rows = rows_by_key("vpn-tunnel-performance", self.era).get(sku, ())
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
        return typed_value(GatewayLatency, by_load[load], "gateway-latency", f"{family} {load}")

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
        return typed_value(EspSuite, row, "esp-suites", f"{encryption}/{integrity}")

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
            return typed_value(
                ExpressRouteGatewaySku, rows[0], "expressroute-gateway-skus", name, given
            )
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
                return typed_value(ExpressRouteCircuit, row, "expressroute-circuits", key)
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
                return typed_value(ExpressRoutePort, row, "expressroute-ports", row.text("name"))
        raise _not_sold("ExpressRoute Direct port", bandwidth_bps, rows)

    def expressroute_parameter(self, name: str) -> ExpressRouteParameter:
        """Look up a stated property of ExpressRoute, for example `FastPath IPs, Direct 10G`."""
        table = "expressroute-parameters"
        return self._single(ExpressRouteParameter, table, name, "ExpressRoute parameter")

    def mtu_bytes(self, name: str) -> int:
        """Look up a packet size of the table `mtu` by its name."""
        return self._rows("mtu", name)[0].count("size_bytes")

    # --- single rows ------------------------------------------------------------------------------

    def timer(self, timer_id: str) -> Timer:
        """Look up a timer by its id, for example `T041`."""
        return self._single(Timer, "timers", timer_id, "timer")

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
        return typed_value(PacketMix, row, "packet-mixes", name, given)


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
    found = typed_value(ExpressRouteGatewaySku, own, "expressroute-gateway-skus", key, given)
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
