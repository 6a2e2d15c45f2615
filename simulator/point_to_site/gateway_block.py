"""The block `p2s` of a VPN gateway: what it offers to point-to-site clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.blocks import Block
from simulator.base.fields import CatalogueName, Name, Prefix, Quantity, Sequenced, catalogued
from simulator.base.units import DURATION
from simulator.draft import Draft


class P2sAuth(fields.Schema):
    """How point-to-site clients prove who they are."""

    kind: Literal["certificate", "radius"] = catalogued(
        "gateway.p2s.auth.kind", "by certificate, or by a RADIUS server"
    )
    server: Name | None = Field(
        default=None, description="site or VNet where the RADIUS server stands"
    )
    time: Annotated[float, Quantity(DURATION, "0 s", "30 s", row="gateway.p2s.auth.time")] = (
        catalogued(
            "gateway.p2s.auth.time",
            "time to authenticate a client, beside the round trips of its protocol",
        )
    )

    @model_validator(mode="after")
    def _server_of_radius(self) -> P2sAuth:
        if self.server is not None and self.kind != "radius":
            fields.refuse("certificates need no server", "remove server, or write kind: radius")
        return self


class P2s(fields.Schema):
    """What a gateway offers to point-to-site clients."""

    address_pools: Sequenced[Prefix] = Field(
        min_length=1, description="ranges from which clients get their addresses"
    )
    protocols: Sequenced[Annotated[str, CatalogueName("p2s-protocols")]] = Field(
        min_length=1, description="protocols that clients may use"
    )
    auth: P2sAuth = Field(default_factory=P2sAuth, description="how clients prove who they are")
    split_tunnel: bool = Field(
        default=True,
        description="clients reach the internet beside the tunnel; false: through it, and out by "
        "the default route of the gateway",
    )


@dataclass(frozen=True)
class P2sGateway:
    """What a VPN gateway offers to point-to-site clients."""

    address_pools: tuple[Prefix, ...]
    protocols: tuple[str, ...]
    radius_at: str
    """Site or VNet of the RADIUS server; empty if there is none, or where does not matter."""
    auth_s: float
    split_tunnel: bool
    """Whether traffic of clients to the internet stays out of the tunnel."""


def publish(name: str, gateway: Any, draft: Draft) -> None:
    """What the gateway offers, for the groups of clients that dial it."""
    offered = gateway.p2s
    if offered is not None:
        draft.published(P2sGateway)[name] = P2sGateway(
            address_pools=offered.address_pools,
            protocols=offered.protocols,
            radius_at=offered.auth.server or "",
            auth_s=offered.auth.time,
            split_tunnel=offered.split_tunnel,
        )


OF_GATEWAY = Block(
    P2s | None,
    Field(default=None, description="point-to-site clients; none by default"),
    publish,
)
