"""What an IPsec tunnel adds to a plan: its hops at a gateway, its bytes, what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from simulator.catalog import EspSuite
from simulator.draft import Ceiling, CeilingKind, Draft, GatewayInstance, PacketLimit, Wrap
from simulator.plan import FORWARD, RETURN, Direction

if TYPE_CHECKING:
    from kernels.esp import EncapsulationProfile


def tunnel_servers(
    draft: Draft, name: str, instance: GatewayInstance, encryption: str, integrity: str
) -> dict[Direction, int]:
    """The hop of a tunnel at a gateway instance, in each direction.

    A published row of throughput and packets per second gives `min_service = 1 / packets_per_s`
    and `per_byte = 8 / throughput_bps`; what does not pass at once waits in the gateway's buffer.
    """
    found = draft.catalog.tunnel_performance(
        instance.sku, instance.generation, encryption, integrity
    )
    suite = encryption if encryption == integrity else f"{encryption} + {integrity}"
    label = f"tunnel {name}, {suite}"
    meter = instance.meter
    kind = CeilingKind.TUNNEL
    ceilings = [
        Ceiling(kind, f"{label}, bits/s", found.cite(), rate_bps=found.throughput_bps, meter=meter)
    ]
    if found.packets_per_s:
        ceilings.append(
            Ceiling(
                kind,
                f"{label}, packets/s",
                found.cite(),
                packets_per_s=found.packets_per_s,
                meter=meter,
            )
        )
    return draft.servers(
        name,
        is_shared=instance.direction == "shared",
        ceilings=ceilings,
        rate_bps=found.throughput_bps,
        packets_per_s=found.packets_per_s or None,
        buffer_s=instance.buffer_s,
        meter=meter,
    )


def esp_wrap(suite: EspSuite, *, behind_nat: bool) -> EncapsulationProfile:
    """What ESP in tunnel mode adds to a packet: fixed bytes, trailer and alignment."""
    from kernels.esp import esp_profile

    return esp_profile(suite.iv_bytes, suite.icv_bytes, suite.align_bytes, behind_nat)


def wraps(
    suite: EspSuite,
    *,
    behind_nat: bool,
    tunnel_mtu_bytes: int,
    path_mtu_bytes: int,
    do_not_fragment: Literal["copy", "set", "clear"],
    fragmentation: Literal["device", "drop"],
) -> Mapping[Direction, Wrap]:
    """ESP in tunnel mode, as packets look between device and gateway, by direction.

    A device may cut ESP packets that are larger than the MTU of the path; a gateway drops what
    does not fit. Where nothing is cut, the MTU of the tunnel decides, to within the padding of the
    cipher.
    """
    from kernels.esp import largest_inner_bytes

    profile = esp_wrap(suite, behind_nat=behind_nat)
    fit_bytes = min(tunnel_mtu_bytes, largest_inner_bytes(profile, path_mtu_bytes))
    cuts: Literal["never", "unless-df", "always"] = "never"
    if fragmentation == "device" and do_not_fragment != "set":
        cuts = "always" if do_not_fragment == "clear" else "unless-df"
    sent_by_gateway = Wrap(*profile, fit_bytes=fit_bytes, mtu_bytes=path_mtu_bytes)
    sent_by_device = Wrap(*profile, fit_bytes=fit_bytes, mtu_bytes=path_mtu_bytes, fragments=cuts)
    return {FORWARD: sent_by_device, RETURN: sent_by_gateway}


def packet_limits(
    wrap: Mapping[Direction, Wrap], *, mss_clamp_bytes: int | None, is_told: bool
) -> dict[Direction, PacketLimit]:
    """What the tunnel allows in packet size, by direction."""
    return {
        direction: PacketLimit(
            fit_bytes=w.fit_bytes,
            mss_clamp_bytes=mss_clamp_bytes,
            is_told=is_told,
            cuts_df=w.cuts(do_not_fragment=True),
        )
        for direction, w in wrap.items()
    }
