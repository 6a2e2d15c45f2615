"""Cipher suites and lifetimes of IPsec, as scenarios write them."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from simulator.base import fields
from simulator.base.fields import CatalogueName, Quantity, catalogued
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
