"""How clients without split tunnelling reach the internet: out of their gateway, by its tunnels."""

from __future__ import annotations

from dataclasses import replace

from simulator.draft import INTERNET, Draft
from simulator.point_to_site.gateway_block import P2sGateway


def leave_through_gateway(group: str, gateway: str, draft: Draft) -> None:
    """Let a group use the default route of its gateway, which has no exit but its tunnels."""
    if draft.published(P2sGateway)[gateway].split_tunnel:
        return
    vnet = draft.instances[gateway][0].vnet
    tunnels = {t.connection for t in draft.tunnels if t.gateway == gateway}
    known = [o for o in draft.offers if (o.at, o.to) == (vnet, INTERNET)]
    draft.offers += [
        replace(
            offer,
            at=group,
            connection=f"{gateway}.p2s",
            then=(offer.connection, *offer.then),
            how="system",
            local_preference=None,
        )
        for offer in (*known, *draft.gateway_routes[vnet])
        if offer.connection in tunnels
    ]
