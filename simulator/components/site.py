"""Site: a place on the customer's side, with its internet access and VPN devices."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import (
    Address,
    AsNumber,
    CatalogueName,
    Delay,
    Name,
    Named,
    PositiveDuration,
    Prefix,
    Rate,
    Ratio,
    Sequenced,
    catalogued,
)
from simulator.draft import (
    DIRECTIONS,
    SCENARIO,
    AccessLine,
    Ceiling,
    CeilingKind,
    Draft,
    Link,
    Pass,
    Passes,
    Place,
    Point,
    Stage,
    VpnDevice,
)
from simulator.plan import FORWARD, RETURN


class Location(fields.Schema):
    """Where a site lies: near a region of the platform, or at coordinates."""

    near: Annotated[str, CatalogueName("regions")] | None = Field(
        default=None, description="region whose latency to the others stands for this site's"
    )
    latitude: float | None = Field(
        default=None, ge=-90, le=90, description="degrees north; with longitude, instead of near"
    )
    longitude: float | None = Field(
        default=None, ge=-180, le=180, description="degrees east; with latitude, instead of near"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Location:
        by_region = self.near is not None
        coordinates = (self.latitude is not None) + (self.longitude is not None)
        if by_region and coordinates:
            fields.refuse("give near or coordinates, not both", "remove near")
        if not by_region and coordinates != 2:
            fields.refuse("needs near, or latitude and longitude", "write near: France Central")
        return self


class Lan(fields.Schema):
    """The local network between the hosts of a site and its devices."""

    rate: Rate = catalogued("site.lan.rate", "rate in each direction")
    delay: Delay = catalogued("site.lan.delay", "propagation delay, one way")


class Internet(fields.Schema):
    """One provider's access line of a site."""

    down: Rate = Field(description="rate towards the site, of bytes on the wire")
    up: Rate = Field(description="rate from the site, of bytes on the wire")
    delay: Delay = catalogued(
        "site.internet.delay",
        "delay of the access line, one way, beyond the distance to the region",
    )
    jitter: Delay = catalogued(
        "site.internet.jitter", "typical extra delay (p95 of one direction), kept in order"
    )
    loss: Ratio = catalogued("site.internet.loss", "random loss of packets in each direction")
    buffer: PositiveDuration = catalogued(
        "site.internet.buffer", "time that a full buffer of the line holds, then tail drop"
    )


class DeviceBgp(fields.Schema):
    """BGP speaker of an on-premises device."""

    asn: AsNumber = Field(description="autonomous system of the site")
    peer_ip: Address = Field(description="address of the BGP speaker inside the tunnel")
    keepalive: PositiveDuration = catalogued("bgp.keepalive", "time between keepalives")
    hold: PositiveDuration = catalogued("bgp.hold", "BGP hold time that the device offers")
    connect_retry: PositiveDuration = catalogued(
        "bgp.connect_retry", "time between attempts to open the session"
    )
    advertise: Sequenced[Prefix] | None = Field(
        default=None, description="prefixes to announce; the site's address space by default"
    )
    prepend: int = Field(
        default=0, ge=0, le=16, description="own AS numbers added in front of the AS path"
    )


class Device(fields.Schema):
    """On-premises VPN device."""

    model: Annotated[str, CatalogueName("devices")] = catalogued(
        "site.device.model", "class of device; says what it encrypts per second"
    )
    public_ip: Address = Field(description="public address of the device, or of the NAT before it")
    internet: Name | None = Field(
        default=None,
        description="provider that the device uses; may be left out if there is one",
        json_schema_extra={"x-derived": "the site's only provider"},
    )
    behind_nat: bool = Field(
        default=False, description="behind NAT: ESP in UDP, and the gateway cannot initiate"
    )
    bgp: DeviceBgp | None = Field(default=None, description="BGP speaker of the device")


class Site(fields.Schema):
    """A place on the customer's side."""

    location: Location = Field(description="where the site lies")
    address_space: Sequenced[Prefix] = Field(
        min_length=1, description="prefixes of the site's network"
    )
    lan: Lan | None = Field(
        default=None, description="local network; without it the LAN adds neither delay nor limit"
    )
    internet: Named[Internet] = Field(
        min_length=1, description="access lines by provider name; devices may share one"
    )
    devices: Named[Device] = Field(min_length=1, description="VPN devices by name")


Schema = Site

STAGE = Stage.PLACES


def plan_rows(name: str, site: Site, draft: Draft) -> None:
    """Add the site: its LAN, an up-link and a down-link for each access line, its devices."""
    draft.add_point(Place(name, _lan(name, site.lan, draft), prefixes=site.address_space))
    lines = {
        provider: _line(name, site.location, provider, line, draft)
        for provider, line in site.internet.items()
    }
    draft.devices[name] = {}
    for device_name, device in site.devices.items():
        point = f"{name}.{device_name}"
        draft.add_point(Point(point, {FORWARD: (), RETURN: ()}))
        draft.add_link(Link(point, name, point, {FORWARD: (), RETURN: ()}))
        draft.devices[name][device_name] = VpnDevice(
            name=point,
            site=name,
            model=device.model,
            line=lines[device.internet or next(iter(lines))],
            behind_nat=device.behind_nat,
            announces=(device.bgp and device.bgp.advertise) or site.address_space,
        )


def _lan(name: str, lan: Lan | None, draft: Draft) -> Passes:
    """The LAN in each direction; one that is not described adds neither delay nor limit."""
    hop = f"{name}.lan"
    if lan is None:
        return {d: (Pass(draft.path(hop, d, delay_s=0.0)),) for d in DIRECTIONS}
    ceiling = Ceiling(CeilingKind.SITE, f"site LAN {hop}", SCENARIO, rate_bps=lan.rate)
    servers = draft.servers(
        hop,
        is_shared=False,
        ceilings=[ceiling],
        rate_bps=lan.rate,
        delay_s=lan.delay,
        buffer_s=draft.catalog.default("site.lan.buffer").value,
    )
    return {direction: (Pass(hop_idx),) for direction, hop_idx in servers.items()}


def _line(site: str, location: Location, provider: str, line: Internet, draft: Draft) -> AccessLine:
    name = f"{site}.{provider}"
    up = draft.server(
        f"{name}.up",
        FORWARD,
        [Ceiling(CeilingKind.ACCESS, f"site up-link {name}", SCENARIO, rate_bps=line.up)],
        rate_bps=line.up,
        buffer_s=line.buffer,
    )
    down = draft.server(
        f"{name}.down",
        RETURN,
        [Ceiling(CeilingKind.ACCESS, f"site down-link {name}", SCENARIO, rate_bps=line.down)],
        rate_bps=line.down,
        buffer_s=line.buffer,
    )
    access = AccessLine(
        name=name,
        site=site,
        provider=provider,
        up=up,
        down=down,
        delay_s=line.delay,
        jitter_s_p95=line.jitter,
        loss_ratio=line.loss,
        near=location.near,
        latitude_deg=location.latitude or 0.0,
        longitude_deg=location.longitude or 0.0,
    )
    draft.lines[name] = access
    return access
