"""Admission: whether a gateway takes one more point-to-site client, and why it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulator.catalog import VpnGatewaySku
from simulator.draft import Draft, RouteKind
from simulator.point_to_site.gateway_block import P2sGateway

SSTP: Final = "sstp"


class Admission:
    """Whether a gateway takes one more client of a protocol; counts those that it took."""

    def __init__(self, gateway: str, protocol: str, draft: Draft) -> None:
        catalog = draft.catalog
        self._offered = draft.published(P2sGateway)[gateway]
        self._instances = draft.instances[gateway]
        self._sku = catalog.vpn_gateway_sku(self._instances[0].sku, self._instances[0].generation)
        self._draft = draft
        self._protocol = catalog.p2s_protocol(protocol)
        column = self._protocol.max_clients_column
        self._limit: int = getattr(self._sku, column) or 0
        is_of_all = catalog.default("p2s.limit_scope").word == "gateway"
        self._counted = f"clients of {gateway}" if is_of_all else f"clients of {gateway}, {column}"
        self._rule = "R091" if protocol == SSTP and not is_of_all else "R096"
        what = "clients in all" if is_of_all else f"clients by {SHARING[column]}"
        self._over_limit = (
            f"{self._sku.name} takes {self._limit} {what} (rule {self._rule}; {self._sku.cite()})"
        )
        part, self._addresses = _addresses(self._offered, self._sku, protocol, draft)
        self._pool = f"addresses of {gateway}, {part}"
        self._unreachable = _no_radius(gateway, self._offered, draft)

    def refuses(self, instance: str) -> str:
        """Why the next client is refused at an instance; empty if it gets in."""
        if self._unreachable:
            return self._unreachable
        counts = self._draft.counts
        if counts.get(self._counted, 0) >= self._limit:
            return self._over_limit
        pool, of_each = f"{self._pool} at {instance}", self._addresses // len(self._instances)
        if counts.get(pool, 0) >= of_each:
            return f"the address pool is used up, {self._pool_text(of_each)}"
        self._draft.number(self._counted)
        self._draft.number(pool)
        return ""

    def _pool_text(self, of_each: int) -> str:
        pools = " and ".join(map(str, self._offered.address_pools))
        text = f"{pools} has {of_each} addresses"
        protocols = self._offered.protocols
        if SSTP in protocols and len(protocols) > 1:
            text += f" for {self._protocol.protocol}, divided by protocol (rule R097)"
        if len(self._instances) > 1:
            text += " on each instance (rule R098)"
        return text


#: Field of a SKU with a limit -> the protocols that share it.
SHARING: Mapping[str, str] = {
    "max_p2s_sstp": "SSTP",
    "max_p2s_ikev2_openvpn": "IKEv2 and OpenVPN",
}


def _addresses(
    offered: P2sGateway, sku: VpnGatewaySku, protocol: str, draft: Draft
) -> tuple[str, int]:
    """The part of the pools that a protocol draws from, and its addresses.

    SSTP beside another protocol has half of them, and no more than the SKU takes clients of it.
    """
    reserved = int(draft.catalog.default("p2s.pool_reserved").value)
    total = sum(max(0, pool.num_addresses - reserved) for pool in offered.address_pools)
    if SSTP not in offered.protocols or len(offered.protocols) == 1:
        return "all", total
    of_sstp = min(total // 2, sku.max_p2s_sstp or 0)
    return (SSTP, of_sstp) if protocol == SSTP else ("others", total - of_sstp)


def _no_radius(gateway: str, offered: P2sGateway, draft: Draft) -> str:
    """Why the RADIUS server cannot be asked: it stands at a site without tunnel to the gateway."""
    devices = {device.name for device in draft.devices.get(offered.radius_at, {}).values()}
    instances = {instance.name for instance in draft.instances[gateway]}
    if not devices or any(link.a in devices and link.b in instances for link in draft.links):
        return ""
    vnet = draft.instances[gateway][0].vnet
    others = [
        offer.kind.words
        for offer in draft.offers
        if (offer.at, offer.to) == (vnet, offered.radius_at)
        and offer.kind.is_of_gateway
        and offer.kind is not RouteKind.VPN
    ]
    rule = f", not over {others[0]} (rule R176)" if others else " (rule R102)"
    return (
        f"the RADIUS server at {offered.radius_at} is reached over a site-to-site tunnel alone, "
        f"and {gateway} has none there{rule}"
    )
