"""Peering: two VNets joined by the platform's network, with no gateway on the way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

from pydantic import Field, model_validator

from simulator.backbone import backbone
from simulator.base import fields
from simulator.base.fields import Delay, Name, Sequenced
from simulator.base.sections import CONNECTIONS
from simulator.draft import (
    DIRECTIONS,
    Draft,
    GatewayTransit,
    Link,
    Offer,
    Pass,
    Passes,
    RouteKind,
    Stage,
)
from simulator.plan import FORWARD, RETURN
from simulator.sketch import Edge, Sketch


class Peering(fields.Schema):
    """A peering of two VNets, in one region or between two."""

    type: Literal["peering"] = Field(description="kind of connection")
    vnets: Sequenced[Name] = Field(
        min_length=2, max_length=2, description="the two VNets; forward is to the second"
    )
    rtt: Delay | None = Field(
        default=None,
        description="round trip between hosts of both VNets, if it was measured; by default from "
        "the region matrix",
    )
    allow_gateway_transit: Name | None = Field(
        default=None, description="the one of them whose gateways the other may use"
    )
    use_remote_gateways: Name | None = Field(
        default=None, description="the one of them that uses the gateways of the other"
    )
    allow_forwarded_traffic: Sequenced[Name] = Field(
        default=(),
        max_length=2,
        description="those of them that take traffic which does not come from the other itself",
    )

    @model_validator(mode="after")
    def _of_these_two(self) -> Peering:
        first, second = self.vnets
        if first == second:
            fields.refuse(f"both ends are {first}", "name two VNets")
        named = (self.allow_gateway_transit, self.use_remote_gateways)
        for name in filter(None, [*named, *self.allow_forwarded_traffic]):
            if name not in self.vnets:
                fields.refuse(f"{name} is not one of the peered VNets", f"name {first} or {second}")
        if self.use_remote_gateways is not None:
            hub = second if self.use_remote_gateways == first else first
            if self.allow_gateway_transit != hub:
                fields.refuse(
                    f"{self.use_remote_gateways} cannot use the gateways of {hub}, which does not "
                    "allow it (rule R113)",
                    f"write allow_gateway_transit: {hub}",
                )
        return self


Schema = Peering

SECTION = CONNECTIONS
STAGE = Stage.EXTENSIONS

REFERS = {"vnets": "vnets"}


def joins(name: str, peering: Peering, parts: Any) -> tuple[str, ...]:
    """The VNets that exist."""
    return tuple(vnet for vnet in peering.vnets if vnet in parts.vnets)


def plan_rows(name: str, peering: Peering, draft: Draft) -> None:
    """Add the backbone between the VNets, and the way from the hub's gateways to a spoke."""
    first, second = peering.vnets
    between = backbone(
        draft, f"{name}.backbone", first, second, ends_count=1, measured_rtt_s=peering.rtt
    )
    passes = {d: (Pass(between.hops[d]),) for d in DIRECTIONS}
    draft.add_link(Link(name, first, second, passes, connection=name, reaches_hosts=True))
    for at, to in ((first, second), (second, first)):
        draft.offers += [
            Offer(at, to, prefix, name, RouteKind.PEERING, "system")
            for prefix in draft.place(to).prefixes
        ]
    spoke = peering.use_remote_gateways
    if spoke is not None:
        _add_gateways(name, second if spoke == first else first, spoke, peering, draft)


def _add_gateways(name: str, hub: str, spoke: str, peering: Peering, draft: Draft) -> None:
    """Let the gateways of the hub reach the spoke as they reach the hub."""
    transit = f"{name}.transit"
    draft.gateway_transits.append(GatewayTransit(transit, hub, spoke))
    draft.at_stage(Stage.GROUPS, partial(_add_hairpins, transit, hub, spoke, draft))
    further = backbone(draft, transit, hub, spoke, ends_count=1, measured_rtt_s=peering.rtt)
    for link in draft.links_into(hub):
        onward = link.onward or link
        passes: Passes = {
            FORWARD: (*onward.passes[FORWARD], Pass(further.hops[FORWARD])),
            RETURN: (Pass(further.hops[RETURN]), *onward.passes[RETURN]),
        }
        around = f"{transit}.{link.name}"
        draft.add_link(
            replace(
                link,
                name=around,
                b=spoke,
                passes=passes,
                connection=transit,
                limits=onward.limits,
                shared_by=onward.shared_by,
                onward=None,
            )
        )


def _add_hairpins(transit: str, hub: str, spoke: str, draft: Draft) -> None:
    """Let other spokes reach this one around the hub's VPN gateways, without a tunnel.

    The gateways know the way, the spokes do not learn it: a subnet takes it with a user route to
    the gateway. What turns at an instance has passed its latency on the way in.
    """
    divided = {end.partition(".")[0] for end in draft.ends if "." in end} - {spoke}
    others = [t for t in draft.gateway_transits if t.hub == hub and t.spoke in divided]
    instances = {i.name for own in draft.instances.values() for i in own if i.vnet == hub}
    turning = [link for link in draft.links_of(transit) if link.a in instances]
    if not others or not turning:
        return
    hairpin = f"{transit}.hairpin"
    for link in turning:
        passes: Passes = {FORWARD: link.passes[FORWARD][-1:], RETURN: link.passes[RETURN][:1]}
        draft.add_link(
            replace(link, name=f"{link.name}.hairpin", connection=hairpin, passes=passes)
        )
    for other in others:
        draft.gateway_routes[other.spoke] += [
            Offer(
                other.spoke, spoke, prefix, other.peering, RouteKind.VPN, "system", then=(hairpin,)
            )
            for prefix in draft.place(spoke).prefixes
        ]


def draw(name: str, peering: Peering, sketch: Sketch, draft: Draft) -> None:
    """Draw the peering; that of a spoke says that it carries the hub's gateways too."""
    first, second = peering.vnets
    label = f"{name}: gateway transit" if peering.use_remote_gateways else name
    sketch.add_edge(Edge(first, second, "peering", label, (name, f"{name}.transit")))
