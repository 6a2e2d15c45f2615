"""Byte-exact size on the wire of tunnelled IP packets: encapsulation, padding, fragments.

An inner IP packet of `inner` bytes becomes an outer IPv4 packet of

    outer = fixed + pad(inner + trailer),    pad(n) = n rounded up to a multiple of `align`

    | inner IP packet        | pad | trailer |      padded together to `align`
    ^ fixed part: outer IPv4 header, UDP, ESP header, IV in front, ICV behind

and where a packet does not fit its MTU it travels as IPv4 fragments. *Where* it is cut makes a
difference in bytes: an IPsec or VXLAN packet is cut after encapsulation (one more IPv4 header
per extra fragment), a packet larger than the MTU of a GRE, IPIP or WireGuard interface is cut
before it (each inner fragment then carries the whole encapsulation).

The three numbers of an `EncapsulationProfile` are all that a packet kernel needs; the profiles
of all encapsulations are made here from the header lengths of the standards. Cipher parameters
(IV, ICV, alignment) come from the catalogue.

All functions take and return whole bytes. They accept plain Python integers as well as the
integers of a kernel. Valid range: 0 <= every length <= 65,535, `align_bytes` a power of two.

Not modelled: IPv6 outer headers, IP options, traffic-flow confidentiality padding, compression,
the Ethernet framing of the link below.

Sources: RFC 791 (IPv4, fragments), RFC 768 (UDP), RFC 4303 (ESP), RFC 3948 (ESP in UDP),
RFC 2784 (GRE), RFC 2003 (IP in IP), RFC 7348 (VXLAN), WireGuard white paper, section 5.4.6.
"""

from typing import Final, NamedTuple

from kernels._jit import inline_kernel, kernel

IPV4_HEADER_BYTES: Final = 20
UDP_HEADER_BYTES: Final = 8
ETHERNET_HEADER_BYTES: Final = 14
ESP_HEADER_BYTES: Final = 8
"""Security parameters index and sequence number; the high half of an extended one stays home."""
ESP_TRAILER_BYTES: Final = 2
"""Pad length and next header; they are inside what is padded."""
GRE_HEADER_BYTES: Final = 4
VXLAN_HEADER_BYTES: Final = 8
WIREGUARD_HEADER_BYTES: Final = 16
WIREGUARD_TAG_BYTES: Final = 16
WIREGUARD_ALIGN_BYTES: Final = 16
FRAGMENT_UNIT_BYTES: Final = 8
"""The offset field of IPv4 counts in units of this size: every fragment but the last fills it."""
NO_LIMIT_BYTES: Final = 1 << 30
"""Stands for "no MTU here": larger than any IP packet."""


class EncapsulationProfile(NamedTuple):
    """What an encapsulation adds to every packet.

    Attributes
    ----------
    fixed_bytes : int
        Headers, IV and ICV: the part that does not depend on the packet.
    trailer_bytes : int
        Bytes padded together with the inner packet (2 for ESP, else 0).
    align_bytes : int
        Multiple to which inner packet and trailer are padded, a power of two; 1 is no padding.
    """

    fixed_bytes: int
    trailer_bytes: int
    align_bytes: int


NO_ENCAPSULATION: Final = EncapsulationProfile(0, 0, 1)
GRE: Final = EncapsulationProfile(IPV4_HEADER_BYTES + GRE_HEADER_BYTES, 0, 1)
IP_IN_IP: Final = EncapsulationProfile(IPV4_HEADER_BYTES, 0, 1)
VXLAN: Final = EncapsulationProfile(
    IPV4_HEADER_BYTES + UDP_HEADER_BYTES + VXLAN_HEADER_BYTES + ETHERNET_HEADER_BYTES, 0, 1
)
WIREGUARD: Final = EncapsulationProfile(
    IPV4_HEADER_BYTES + UDP_HEADER_BYTES + WIREGUARD_HEADER_BYTES + WIREGUARD_TAG_BYTES,
    0,
    WIREGUARD_ALIGN_BYTES,
)


def esp_profile(
    iv_bytes: int, icv_bytes: int, align_bytes: int, nat_t: bool
) -> EncapsulationProfile:
    """Return the profile of ESP in tunnel mode over IPv4.

    Parameters
    ----------
    iv_bytes : int
        Initialisation vector in each packet: 16 for AES-CBC, 8 for AES-GCM and 3DES-CBC.
    icv_bytes : int
        Integrity check value as sent: 16 for GCM and HMAC-SHA-256-128, 12 for HMAC-SHA-1-96.
    align_bytes : int
        The cipher's block, at least 4: 16 for AES-CBC, 8 for 3DES-CBC, 4 for GCM and NULL.
    nat_t : bool
        Whether ESP travels inside UDP (RFC 3948).

    Raises
    ------
    ValueError
        If `align_bytes` is no power of two of at least 4 (RFC 4303, section 2.4), or a length
        is negative.
    """
    if align_bytes < 4 or align_bytes & (align_bytes - 1):
        raise ValueError(
            f"align_bytes = {align_bytes}: ESP pads to a power of two of at least 4; use 4, 8 or 16"
        )
    if iv_bytes < 0 or icv_bytes < 0:
        raise ValueError(f"iv_bytes = {iv_bytes}, icv_bytes = {icv_bytes}: must be 0 or more")
    udp_bytes = UDP_HEADER_BYTES if nat_t else 0
    fixed_bytes = IPV4_HEADER_BYTES + udp_bytes + ESP_HEADER_BYTES + iv_bytes + icv_bytes
    return EncapsulationProfile(fixed_bytes, ESP_TRAILER_BYTES, align_bytes)


def esp_outer_bytes(
    inner_bytes: int, iv_bytes: int, icv_bytes: int, align_bytes: int, nat_t: bool
) -> int:
    """Return the size of the one outer packet that ESP makes of an inner packet, uncut.

    Arguments and errors as in `esp_profile`; `inner_bytes` is the whole inner IP packet.
    """
    fixed, trailer, align = esp_profile(iv_bytes, icv_bytes, align_bytes, nat_t)
    return fixed + ((inner_bytes + trailer + align - 1) & -align)


def largest_inner_bytes(profile: EncapsulationProfile, mtu_bytes: int) -> int:
    """Return the largest inner packet whose outer packet fits `mtu_bytes` in one piece.

    Returns 0 if not even an empty packet fits.
    """
    room_bytes = mtu_bytes - profile.fixed_bytes
    return max(0, (room_bytes & -profile.align_bytes) - profile.trailer_bytes)


@inline_kernel
def outer_bytes(inner_bytes: int, fixed_bytes: int, trailer_bytes: int, align_bytes: int) -> int:
    """Return the size of the outer packet before any cut: `fixed + pad(inner + trailer)`.

    Cost: O(1), five integer operations.
    """
    return fixed_bytes + ((inner_bytes + trailer_bytes + align_bytes - 1) & -align_bytes)


@inline_kernel
def fragment_count(packet_bytes: int, mtu_bytes: int) -> int:
    """Return into how many IPv4 packets one packet is cut so that each fits `mtu_bytes`.

    Every fragment but the last carries the largest multiple of 8 bytes that fits:

        count = 1 + ceil((payload - room) / (room rounded down to 8)),  room = mtu - 20

    Valid for `mtu_bytes` >= 28 (RFC 791 asks every link for 68). Cost: O(1).
    """
    room_bytes = mtu_bytes - IPV4_HEADER_BYTES
    rest_bytes = packet_bytes - mtu_bytes
    count = 1
    if rest_bytes > 0:
        step_bytes = room_bytes & -FRAGMENT_UNIT_BYTES
        count += (rest_bytes + step_bytes - 1) // step_bytes
    return count


@inline_kernel
def wire_bytes(
    inner_bytes: int, fixed_bytes: int, trailer_bytes: int, align_bytes: int, mtu_bytes: int
) -> tuple[int, int]:
    """Return total bytes and count of the outer IP packets, cut after encapsulation.

        total = outer + (count - 1) * 20

    Parameters
    ----------
    inner_bytes : int
        Inner IP packet, header included.
    fixed_bytes, trailer_bytes, align_bytes : int
        The `EncapsulationProfile`.
    mtu_bytes : int
        MTU of the outer path; `NO_LIMIT_BYTES` where nothing is cut.

    Returns
    -------
    tuple of int
        Sum over the outer packets with all their IPv4 headers, and their count. Cost: O(1).
    """
    whole_bytes = outer_bytes(inner_bytes, fixed_bytes, trailer_bytes, align_bytes)
    count = fragment_count(whole_bytes, mtu_bytes)
    return whole_bytes + (count - 1) * IPV4_HEADER_BYTES, count


@kernel
def wire_bytes_precut(
    inner_bytes: int,
    fixed_bytes: int,
    trailer_bytes: int,
    align_bytes: int,
    interface_mtu_bytes: int,
    pad_limit_bytes: int,
    mtu_bytes: int,
) -> tuple[int, int]:
    """Return total bytes and count of the outer IP packets, cut before encapsulation.

    The inner packet is cut to the MTU of the tunnel interface; each piece is encapsulated on
    its own, and a piece that still does not fit the outer path is cut again.

    Parameters
    ----------
    inner_bytes, fixed_bytes, trailer_bytes, align_bytes, mtu_bytes : int
        As in `wire_bytes`.
    interface_mtu_bytes : int
        MTU of the tunnel interface, at least 28.
    pad_limit_bytes : int
        Padding never takes a piece above this size: the interface MTU for WireGuard, whose
        padding is optional; `NO_LIMIT_BYTES` for ESP, whose cipher needs whole blocks.

    Returns
    -------
    tuple of int
        As in `wire_bytes`. Cost: O(1).
    """
    piece_count = fragment_count(inner_bytes, interface_mtu_bytes)
    step_bytes = (interface_mtu_bytes - IPV4_HEADER_BYTES) & -FRAGMENT_UNIT_BYTES
    last_bytes = inner_bytes - (piece_count - 1) * step_bytes
    total_bytes = 0
    count = 0
    for piece_bytes, repeats in (
        (IPV4_HEADER_BYTES + step_bytes, piece_count - 1),
        (last_bytes, 1),
    ):
        # What padding may not add because of its limit comes off again.
        padded_bytes = outer_bytes(piece_bytes, 0, trailer_bytes, align_bytes)
        padded_bytes = min(padded_bytes, max(piece_bytes + trailer_bytes, pad_limit_bytes))
        piece_total_bytes, piece_packets = wire_bytes(padded_bytes, fixed_bytes, 0, 1, mtu_bytes)
        total_bytes += repeats * piece_total_bytes
        count += repeats * piece_packets
    return total_bytes, count
