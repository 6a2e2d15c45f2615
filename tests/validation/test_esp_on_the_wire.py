"""Bytes and packets on the wire, against a Linux kernel's tunnels: every row must be exact."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

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
ROWS_PER_ENCAPSULATION = 49

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


def _measured() -> dict[str, dict[int, tuple[float, float]]]:
    """Return (total bytes, packets) by encapsulation and inner size."""
    table: dict[str, dict[int, tuple[float, float]]] = {}
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_size = table.setdefault(row["encap"], {})
            by_size[int(row["inner_ip_bytes"])] = (
                float(row["outer_ip_bytes"]),
                float(row["outer_packets_per_inner"]),
            )
    return table


MEASURED = _measured()


def test_every_measured_encapsulation_has_a_model():
    assert MEASURED.keys() == MODELS.keys()
    assert {len(by_size) for by_size in MEASURED.values()} == {ROWS_PER_ENCAPSULATION}


@pytest.mark.parametrize("encapsulation", sorted(MODELS))
def test_bytes_and_packets_match_in_every_row(encapsulation):
    model = MODELS[encapsulation]
    wrong = [
        f"inner {inner}: measured {measured}, model {model(inner)}"
        for inner, measured in MEASURED[encapsulation].items()
        if model(inner) != measured
    ]
    assert not wrong, "\n".join(wrong)
