"""Bytes and packets on the wire beside those of a Linux kernel's tunnels, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
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
from tests.validation.measurements import DATA, MeasurementError, read

FILE = "esp_overhead.csv"
OUTER_MTU_BYTES = 1_500
"""Of the outer path, where the file has no column `outer_mtu_bytes`."""
WIREGUARD_MARGIN_BYTES = 80
"""What Linux takes off the outer MTU for a WireGuard interface: room for IPv6 outside."""
CIPHERS = {
    # IV and block: RFC 3602, RFC 2451, RFC 2410, RFC 3686 (counter mode), RFC 4106, RFC 7634.
    r"aes(128|192|256)cbc": (16, 16),
    r"3descbc": (8, 8),
    r"null": (0, 4),
    r"aes(128|192|256)ctr": (8, 4),
}
"""IV and alignment of ciphers that need a check of their own, by pattern of their names."""
COMBINED = r"aes(?:128|192|256)gcm(8|12|16)|chacha20poly(1305)"
"""Ciphers with a check of their own; the group is the ICV, 16 bytes where it is none."""
CHECKS = {"sha1": 12, "md5": 12, "sha256": 16, "sha384": 24, "sha512": 32}
"""ICV as sent: RFC 2404, RFC 2403, RFC 4868."""

Measure = Callable[[int, int], tuple[int, int]]
"""From inner bytes and outer MTU to bytes and packets on the wire."""


def _cut_after(profile: EncapsulationProfile) -> Measure:
    return lambda inner, mtu: wire_bytes(inner, *profile, mtu)


def _cut_before(profile: EncapsulationProfile, margin_bytes: int) -> Measure:
    return lambda inner, mtu: wire_bytes_precut(
        inner, *profile, mtu - margin_bytes, mtu - margin_bytes, mtu
    )


TUNNELS: dict[str, Measure] = {
    "none": _cut_after(NO_ENCAPSULATION),
    "gre": _cut_before(GRE, GRE.fixed_bytes),
    "ipip": _cut_before(IP_IN_IP, IP_IN_IP.fixed_bytes),
    "vxlan": _cut_after(VXLAN),
    "wireguard": _cut_before(WIREGUARD, WIREGUARD_MARGIN_BYTES),
}


@cache
def model_of(encapsulation: str) -> Measure:
    """Return the model of an encapsulation: `gre`, ..., or `esp-plain-aes256gcm16` and the like.

    Raises
    ------
    ValueError
        If no encapsulation has that name.
    """
    if encapsulation in TUNNELS:
        return TUNNELS[encapsulation]
    way, _, suite = encapsulation.removeprefix("esp-").partition("-")
    lengths = _lengths_bytes(suite)
    if not encapsulation.startswith("esp-") or way not in ("plain", "natt") or lengths is None:
        raise ValueError(
            f"encap {encapsulation!r} is unknown; known are {', '.join(TUNNELS)} and "
            "esp-plain-SUITE, esp-natt-SUITE with aes256gcm16, aes256cbc-sha256, 3descbc-sha1, "
            "null-sha256, chacha20poly1305 and the like"
        )
    return _cut_after(esp_profile(*lengths, nat_t=way == "natt"))


def _lengths_bytes(suite: str) -> tuple[int, int, int] | None:
    """Return IV, ICV and alignment of a suite; None if it is unknown."""
    combined = re.fullmatch(COMBINED, suite)
    if combined:
        return 8, int(combined[1] or 16), 4
    cipher, _, check = suite.partition("-")
    for pattern, (iv_bytes, align_bytes) in CIPHERS.items():
        if re.fullmatch(pattern, cipher) and check in CHECKS:
            return iv_bytes, CHECKS[check], align_bytes
    return None


def unknown(encapsulations: Iterable[str]) -> list[str]:
    """Return what is wrong with the names that have no model."""
    found = []
    for name in encapsulations:
        try:
            model_of(name)
        except ValueError as error:
            found.append(str(error))
    return found


def esp_rows(folder: Path = DATA) -> pd.DataFrame:
    """Return one row per encapsulation and inner size: bytes and packets, measured and model."""
    measured = read(FILE, folder)
    faults = unknown(measured["encap"].unique())
    if faults:
        raise MeasurementError("\n".join(f"{folder / FILE}: {fault}" for fault in faults))
    if "outer_mtu_bytes" not in measured:
        measured["outer_mtu_bytes"] = OUTER_MTU_BYTES
    found = [
        model_of(row.encap)(row.inner_ip_bytes, row.outer_mtu_bytes)
        for row in measured.itertuples()
    ]
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
