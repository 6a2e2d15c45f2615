"""Cipher suites, lifetimes, dead peer detection and MTU of IPsec, as scenarios write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import CatalogueName, PacketBytes, PositiveDuration, Quantity, catalogued
from simulator.base.units import DURATION, SIZE


class IkePolicy(fields.Schema):
    """Cipher suite of the IKE SA (main mode)."""

    encryption: Annotated[str, CatalogueName("ike-encryption")] = catalogued(
        "connection.ike_policy.encryption", "encryption of the IKE SA"
    )
    integrity: Annotated[str, CatalogueName("ike-integrity")] = catalogued(
        "connection.ike_policy.integrity", "integrity (or pseudo-random function) of the IKE SA"
    )
    dh_group: Annotated[str, CatalogueName("dh-groups")] = catalogued(
        "connection.ike_policy.dh_group", "Diffie-Hellman group of the IKE SA"
    )
    lifetime: Annotated[
        float, Quantity(DURATION, "60 s", "10 d", row="connection.ike_policy.lifetime")
    ] = catalogued("connection.ike_policy.lifetime", "lifetime of the IKE SA")


class IpsecPolicy(fields.Schema):
    """Cipher suite and lifetimes of the IPsec SAs (quick mode)."""

    encryption: Annotated[str, CatalogueName("ipsec-encryption")] = catalogued(
        "connection.ipsec.encryption", "encryption of the packets; sets the tunnel's throughput"
    )
    integrity: Annotated[str, CatalogueName("ipsec-integrity")] = catalogued(
        "connection.ipsec.integrity", "integrity of the packets; with GCM the same as encryption"
    )
    pfs_group: Annotated[str, CatalogueName("pfs-groups")] = catalogued(
        "connection.ipsec.pfs_group", "Diffie-Hellman group of a rekey, None for none"
    )
    lifetime: Annotated[
        float, Quantity(DURATION, "60 s", "10 d", row="connection.ipsec.lifetime")
    ] = catalogued("connection.ipsec.lifetime", "lifetime of an IPsec SA by time")
    lifetime_volume: Annotated[
        float, Quantity(SIZE, "1 kB", "1000000 GB", row="connection.ipsec.lifetime_volume")
    ] = catalogued("connection.ipsec.lifetime_volume", "lifetime of an IPsec SA by volume")

    @model_validator(mode="after")
    def _gcm_twice(self) -> IpsecPolicy:
        gcm = self.encryption.startswith("GCM") or self.integrity.startswith("GCM")
        if gcm and self.encryption != self.integrity:
            name = self.encryption if self.encryption.startswith("GCM") else self.integrity
            fields.refuse(
                f"with GCM the integrity is the encryption's, not {self.encryption} beside "
                f"{self.integrity} (rule R055)",
                f"write encryption: {name}, integrity: {name}",
            )
        return self


class DeviceDpd(fields.Schema):
    """Dead peer detection by the device: a probe each interval, dead after so many misses."""

    interval: PositiveDuration = catalogued(
        "connection.dpd.device.interval", "time between probes of the device"
    )
    retries: Annotated[int, Field(ge=1, le=100)] = catalogued(
        "connection.dpd.device.retries", "misses in a row after which the peer is dead"
    )


class Dpd(fields.Schema):
    """Dead peer detection at both ends of a tunnel."""

    gateway: Annotated[float, Quantity(DURATION, "1 s", "3600 s", row="connection.dpd.gateway")] = (
        catalogued("connection.dpd.gateway", "DPD timeout of the gateway, retries included")
    )
    device: DeviceDpd = Field(
        default_factory=DeviceDpd, description="dead peer detection by the device"
    )
    withdraws_route: bool = Field(
        default=True,
        description="whether an end stops routing into a tunnel that its DPD declared dead",
    )


class Mtu(fields.Schema):
    """What happens to large packets."""

    tunnel: PacketBytes = catalogued("connection.mtu.tunnel", "MTU inside the tunnel")
    mss_clamp: PacketBytes | None = catalogued(
        "connection.mtu.mss_clamp",
        "TCP segment size that the device enforces in handshakes; null for no clamping",
    )
    do_not_fragment: Literal["copy", "set", "clear"] = Field(
        default="copy", description="DF bit of the outer packet: that of the inner one, or fixed"
    )
    icmp_too_big: Literal["delivered", "filtered"] = Field(
        default="delivered",
        description="whether the sender hears of a packet that does not fit; filtered: black hole",
    )
