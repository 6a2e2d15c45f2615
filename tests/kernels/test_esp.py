"""Encapsulation, padding and fragments: hand-worked sizes, invariants, parity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.esp import (
    IPV4_HEADER_BYTES,
    NO_LIMIT_BYTES,
    WIREGUARD,
    esp_outer_bytes,
    esp_profile,
    fragment_count,
    largest_inner_bytes,
    outer_bytes,
    wire_bytes,
    wire_bytes_precut,
)

INNER = st.integers(20, 65_535)
MTU = st.integers(68, 9_216)
PROFILES = st.builds(
    esp_profile,
    iv_bytes=st.sampled_from([0, 8, 16]),
    icv_bytes=st.sampled_from([8, 12, 16, 24, 32]),
    align_bytes=st.sampled_from([4, 8, 16]),
    nat_t=st.booleans(),
)
KERNELS = (outer_bytes, fragment_count, wire_bytes, wire_bytes_precut)


def plain(function):
    return getattr(function, "py_func", function)


def cut(packet_bytes, mtu_bytes):
    """Return the fragments of a packet by the procedure of RFC 791, section 3.2, step by step."""
    fragments = []
    left_bytes = packet_bytes - IPV4_HEADER_BYTES
    room_bytes = mtu_bytes - IPV4_HEADER_BYTES
    while left_bytes > room_bytes:
        payload_bytes = room_bytes // 8 * 8
        fragments.append(IPV4_HEADER_BYTES + payload_bytes)
        left_bytes -= payload_bytes
    return [*fragments, IPV4_HEADER_BYTES + left_bytes]


def test_aes_cbc_by_hand():
    # 1,400 B inner + 2 B trailer = 1,402, next multiple of 16 is 1,408 (6 B padding).
    # 20 IPv4 + 8 ESP + 16 IV + 1,408 + 16 ICV = 1,468; with 8 B of UDP 1,476.
    assert esp_outer_bytes(1_400, 16, 16, 16, nat_t=False) == 1_468
    assert esp_outer_bytes(1_400, 16, 16, 16, nat_t=True) == 1_476


def test_fragments_by_hand():
    # AES-GCM, 1,448 B inner: 1,450 -> 1,452, + 20 + 8 + 8 + 16 = 1,504 B: 4 too many.
    # First fragment 20 + 1,480, second 20 + 4: together 1,524 B in 2 packets.
    profile = esp_profile(8, 16, 4, nat_t=False)
    assert wire_bytes(1_448, *profile, 1_500) == (1_524, 2)
    assert wire_bytes(1_446, *profile, 1_500) == (1_500, 1)


def test_room_that_is_no_multiple_of_8_by_hand():
    # MTU 1,503: room 1,483, a first fragment carries 1,480. Payload 2,963 = 1,480 + 1,483 fits 2;
    # one byte more needs a third.
    assert fragment_count(20 + 2_963, 1_503) == 2
    assert fragment_count(20 + 2_964, 1_503) == 3


def test_wireguard_pads_up_to_its_mtu_only_by_hand():
    # Interface MTU 1,420. 1,440 B are cut into 20 + 1,400 and 20 + 20.
    # 1,420 would pad to 1,424 but stops at 1,420: 1,480 B outside. 40 pads to 48: 108 B outside.
    assert wire_bytes_precut(1_440, *WIREGUARD, 1_420, 1_420, 1_500) == (1_588, 2)


@pytest.mark.parametrize(
    ("iv", "icv", "align", "nat_t", "largest"),
    [
        (8, 16, 4, False, 1_446),  # AES-GCM
        (8, 16, 4, True, 1_438),
        (16, 16, 16, False, 1_438),  # AES-CBC with HMAC-SHA-256-128
        (16, 16, 16, True, 1_422),
        (8, 16, 8, False, 1_446),  # 3DES-CBC with HMAC-SHA-256-128
        (8, 12, 8, True, 1_438),  # 3DES-CBC with HMAC-SHA-1-96
        (0, 16, 4, False, 1_454),  # NULL with HMAC-SHA-256-128
    ],
)
def test_largest_inner_packet_by_hand(iv, icv, align, nat_t, largest):
    assert largest_inner_bytes(esp_profile(iv, icv, align, nat_t), 1_500) == largest


@pytest.mark.parametrize("align", [0, 1, 2, 12, -16])
def test_alignment_that_esp_does_not_know_is_refused(align):
    with pytest.raises(ValueError, match=rf"align_bytes = {align}: .* use 4, 8 or 16"):
        esp_profile(8, 16, align, nat_t=False)


def test_negative_length_is_refused():
    with pytest.raises(ValueError, match="iv_bytes = -8"):
        esp_profile(-8, 16, 4, nat_t=False)


def test_nothing_fits_an_mtu_below_the_headers():
    assert largest_inner_bytes(esp_profile(16, 16, 16, nat_t=True), 60) == 0


@given(inner=INNER, profile=PROFILES)
def test_packed_form_is_the_formula_of_rfc_4303(inner, profile):
    outer = outer_bytes(inner, *profile)
    padding = outer - profile.fixed_bytes - inner - 2
    assert 0 <= padding < profile.align_bytes
    assert (inner + padding + 2) % profile.align_bytes == 0


@given(inner=INNER, profile=PROFILES, mtu=MTU)
def test_cut_follows_rfc_791(inner, profile, mtu):
    fragments = cut(outer_bytes(inner, *profile), mtu)
    assert wire_bytes(inner, *profile, mtu) == (sum(fragments), len(fragments))
    assert max(fragments) <= mtu


@given(inner=INNER, profile=PROFILES, interface_mtu=MTU, mtu=MTU)
def test_cut_before_encapsulation_follows_rfc_791(inner, profile, interface_mtu, mtu):
    packets = [
        fragment
        for piece in cut(inner, interface_mtu)
        for fragment in cut(outer_bytes(piece, *profile), mtu)
    ]
    total = wire_bytes_precut(inner, *profile, interface_mtu, NO_LIMIT_BYTES, mtu)
    assert total == (sum(packets), len(packets))


@given(inner=INNER, profile=PROFILES, mtu=MTU)
def test_a_larger_packet_is_never_smaller_on_the_wire(inner, profile, mtu):
    total, count = wire_bytes(inner, *profile, mtu)
    total_next, count_next = wire_bytes(inner + 1, *profile, mtu)
    assert total_next >= total
    assert count_next >= count


@given(profile=PROFILES, mtu=st.integers(200, 9_216))
def test_largest_inner_packet_fits_and_the_next_does_not(profile, mtu):
    largest = largest_inner_bytes(profile, mtu)
    assert wire_bytes(largest, *profile, mtu)[1] == 1
    assert wire_bytes(largest + 1, *profile, mtu)[1] == 2


@given(inner=INNER, profile=PROFILES)
def test_without_a_limit_nothing_is_cut(inner, profile):
    assert wire_bytes(inner, *profile, NO_LIMIT_BYTES) == (outer_bytes(inner, *profile), 1)


@given(inner=INNER, profile=PROFILES, interface_mtu=MTU, mtu=MTU)
def test_compiled_and_plain_agree(inner, profile, interface_mtu, mtu):
    arguments = {
        outer_bytes: (inner, *profile),
        fragment_count: (inner, mtu),
        wire_bytes: (inner, *profile, mtu),
        wire_bytes_precut: (inner, *profile, interface_mtu, interface_mtu, mtu),
    }
    for function in KERNELS:
        assert function(*arguments[function]) == plain(function)(*arguments[function])
