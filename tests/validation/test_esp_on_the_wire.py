"""Bytes and packets on the wire, against a Linux kernel's tunnels and against the standards.

The measured rows must be exact. Sizes, suites and MTUs that nobody measured are held against a
packet that is put together field by field here, without the closed form.
"""

import pytest

from kernels.esp import esp_profile, wire_bytes
from simulator.catalog import load_catalog
from tests.validation.validate_esp import esp_rows, model_of, unknown

ROWS_PER_ENCAPSULATION = 49
ENCAPSULATIONS = 11
SIZES = range(40, 9001)
MTUS = {1_500: SIZES, 576: SIZES[::7], 1_280: SIZES[::7], 1_400: SIZES[::7], 9_000: SIZES[::7]}
"""Outer MTUs, each with inner sizes; a step of 7 meets every remainder of blocks and fragments."""


def test_every_measured_encapsulation_has_all_its_rows():
    counts = esp_rows()["encapsulation"].value_counts()
    assert len(counts) == ENCAPSULATIONS
    assert set(counts) == {ROWS_PER_ENCAPSULATION}


def test_bytes_and_packets_match_in_every_row():
    rows = esp_rows()
    wrong = rows[~rows["is_exact"]]
    assert wrong.empty, wrong.to_string()


# ---- field by field --------------------------------------------------------------------------


def esp_packet_bytes(inner, iv, icv, block, nat_t):
    """RFC 4303 figure 2 in tunnel mode, RFC 3948 figure 1: every field, padding byte by byte."""
    pad = 0
    while (inner + pad + 1 + 1) % block:  # pad length and next header end on a block
        pad += 1
    udp = 2 + 2 + 2 + 2 if nat_t else 0  # ports, length, checksum
    return 20 + udp + 4 + 4 + iv + inner + pad + 1 + 1 + icv


def cut(packet, mtu):
    """RFC 791 section 3.2: fragments of whole 8 bytes, each with a header of 20."""
    if packet <= mtu:
        return packet, 1
    payload, total, count = packet - 20, 0, 0
    while payload:
        piece = payload if payload + 20 <= mtu else (mtu - 20) // 8 * 8
        payload -= piece
        total += 20 + piece
        count += 1
    return total, count


def suites():
    """Lengths of every suite of the catalogue, each once."""
    rows = load_catalog().table("esp-suites").rows
    names = ("iv_bytes", "icv_bytes", "align_bytes")
    return sorted({tuple(row.count(name) for name in names) for row in rows})


@pytest.mark.parametrize("nat_t", [False, True])
@pytest.mark.parametrize(("iv", "icv", "block"), suites())
def test_every_suite_of_the_catalogue_is_what_its_fields_add_up_to(iv, icv, block, nat_t):
    profile = esp_profile(iv, icv, block, nat_t)
    for mtu, sizes in MTUS.items():
        for inner in sizes:
            whole = esp_packet_bytes(inner, iv, icv, block, nat_t)
            assert wire_bytes(inner, *profile, mtu) == cut(whole, mtu), (inner, mtu)


@pytest.mark.parametrize("mtu", [1_280, 1_420, 1_500, 9_000])
def test_other_tunnels_are_what_their_fields_add_up_to(mtu):
    def pieces(inner, interface):
        """What a tunnel interface makes of a packet that is larger than its MTU."""
        total, count = cut(inner, interface)
        step = (interface - 20) // 8 * 8 + 20
        return [step] * (count - 1) + [total - step * (count - 1)]

    def whole_after(inner, added, interface):
        packets = [piece + added for piece in pieces(inner, interface)]
        return sum(packets), len(packets)

    for inner in SIZES[::13]:
        # Outer header, and for GRE flags with protocol.
        assert model_of("ipip")(inner, mtu) == whole_after(inner, 20, mtu - 20)
        assert model_of("gre")(inner, mtu) == whole_after(inner, 20 + 4, mtu - 24)
        # Outer header, UDP, VXLAN, inner Ethernet: cut outside.
        assert model_of("vxlan")(inner, mtu) == cut(inner + 20 + 8 + 8 + 14, mtu)
        # Type, receiver, counter, tag: padded to 16, but not above the interface's MTU.
        interface = mtu - 80
        padded = [min(-(-piece // 16) * 16, interface) for piece in pieces(inner, interface)]
        padded = [max(pair) for pair in zip(padded, pieces(inner, interface), strict=True)]
        total = sum(piece + 20 + 8 + 4 + 4 + 8 + 16 for piece in padded)
        assert model_of("wireguard")(inner, mtu) == (total, len(padded))


# ---- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        ("esp-plain-aes128gcm16", (8, 16, 4)),
        ("esp-plain-aes192gcm12", (8, 12, 4)),
        ("esp-plain-chacha20poly1305", (8, 16, 4)),
        ("esp-plain-aes192cbc-sha512", (16, 32, 16)),
        ("esp-plain-3descbc-md5", (8, 12, 8)),
        ("esp-plain-null-sha384", (0, 24, 4)),
    ],
)
def test_suites_that_nobody_measured_have_a_model(name, lengths):
    for inner in (40, 576, 1_390):
        assert model_of(name)(inner, 9_000) == (esp_packet_bytes(inner, *lengths, False), 1)
        behind_nat = model_of(name.replace("plain", "natt"))
        assert behind_nat(inner, 9_000) == (esp_packet_bytes(inner, *lengths, True), 1)


def test_names_without_a_model_are_told():
    names = ["gre", "geneve", "esp-plain-aes256cbc", "esp-aes256gcm16", "aes256gcm16"]
    assert [fault.split("'")[1] for fault in unknown(names)] == names[1:]
