"""Bytes and packets on the wire beside those of a Linux kernel's tunnels, row by row."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from kernels.esp import (
    GRE,
    IP_IN_IP,
    NO_ENCAPSULATION,
    VXLAN,
    WIREGUARD,
    EncapsulationProfile,
    esp_profile,
    wire_bytes,
    wire_bytes_precut,
)

DATA = Path(__file__).parent / "data" / "esp_overhead.csv"
OUTER_MTU_BYTES = 1_500
WIREGUARD_MTU_BYTES = 1_420
"""What Linux gives a WireGuard interface: 80 bytes below 1,500, room for IPv6 outside."""

Measure = Callable[[int], tuple[int, int]]


def _cut_after(profile: EncapsulationProfile) -> Measure:
    return lambda inner: wire_bytes(inner, *profile, OUTER_MTU_BYTES)


def _cut_before(profile: EncapsulationProfile, interface_mtu_bytes: int) -> Measure:
    return lambda inner: wire_bytes_precut(
        inner, *profile, interface_mtu_bytes, interface_mtu_bytes, OUTER_MTU_BYTES
    )


MODELS: dict[str, Measure] = {
    "none": _cut_after(NO_ENCAPSULATION),
    "gre": _cut_before(GRE, OUTER_MTU_BYTES - GRE.fixed_bytes),
    "ipip": _cut_before(IP_IN_IP, OUTER_MTU_BYTES - IP_IN_IP.fixed_bytes),
    "vxlan": _cut_after(VXLAN),
    "wireguard": _cut_before(WIREGUARD, WIREGUARD_MTU_BYTES),
    # IV, ICV, alignment: RFC 4106; RFC 3602 with RFC 4868; RFC 3602 with RFC 2404.
    "esp-plain-aes256gcm16": _cut_after(esp_profile(8, 16, 4, nat_t=False)),
    "esp-natt-aes256gcm16": _cut_after(esp_profile(8, 16, 4, nat_t=True)),
    "esp-plain-aes256cbc-sha256": _cut_after(esp_profile(16, 16, 16, nat_t=False)),
    "esp-natt-aes256cbc-sha256": _cut_after(esp_profile(16, 16, 16, nat_t=True)),
    "esp-plain-aes128cbc-sha1": _cut_after(esp_profile(16, 12, 16, nat_t=False)),
    "esp-natt-aes128cbc-sha1": _cut_after(esp_profile(16, 12, 16, nat_t=True)),
}


def esp_rows() -> pd.DataFrame:
    """Return one row per encapsulation and inner size: bytes and packets, measured and model."""
    measured = pd.read_csv(DATA)
    found = [MODELS[row.encap](row.inner_ip_bytes) for row in measured.itertuples()]
    return pd.DataFrame(
        {
            "encapsulation": measured["encap"],
            "inner_bytes": measured["inner_ip_bytes"],
            "bytes_measured": measured["outer_ip_bytes"],
            "bytes_model": [wire for wire, _ in found],
            "packets_measured": measured["outer_packets_per_inner"],
            "packets_model": [count for _, count in found],
        }
    ).assign(
        is_exact=lambda rows: (
            (rows["bytes_measured"] == rows["bytes_model"])
            & (rows["packets_measured"] == rows["packets_model"])
        )
    )
