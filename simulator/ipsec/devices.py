"""What a device of a site encrypts and decrypts with: a server, or one for each core."""

from __future__ import annotations

from simulator.catalog import Device
from simulator.draft import Ceiling, CeilingKind, Draft, VpnDevice
from simulator.plan import FORWARD


def device_servers(
    device: VpnDevice, encryption: str, cipher_class: str, draft: Draft
) -> list[int]:
    """What the device encrypts and decrypts with: one server for both directions, or none.

    A model with several cores has a server per core, and each tunnel one core. Connections with
    different ciphers have servers of their own.
    """
    model = draft.catalog.device(device.model)
    arguments = _device_cost(model, cipher_class)
    if not arguments:
        return []
    core = ""
    if (model.cores or 1) > 1:
        core = f".core-{draft.number(f'tunnels of {device.name}') % (model.cores or 1)}"
    hop = f"{device.name}{core}.{encryption}"
    if hop not in draft.shared_hops:
        label = f"device {hop}, {model.name}"
        limits = (("rate_bps", "bits/s"), ("packets_per_s", "packets/s"))
        ceilings = [
            Ceiling(
                CeilingKind.DEVICE,
                f"{label}, {unit}",
                model.cite(),
                meter="inner-ip",
                **{limit: arguments[limit]},
            )
            for limit, unit in limits
            if arguments.get(limit)
        ]
        draft.shared_hops[hop] = draft.server(
            hop,
            FORWARD,
            ceilings,
            meter="inner-ip",
            buffer_s=draft.catalog.default("site.lan.buffer").value,
            **arguments,
        )
    return [draft.shared_hops[hop]]


def _device_cost(model: Device, cipher_class: str) -> dict[str, float]:
    """Arguments of a server: the linear cost of a measured model, else its published figures."""
    per_byte_s = model.per_byte_s(cipher_class)
    if model.per_packet_s is not None and per_byte_s is not None:
        return {"per_packet_s": model.per_packet_s, "per_byte_s": per_byte_s}
    published = {
        "rate_bps": model.throughput_bps(cipher_class),
        "packets_per_s": model.packets_per_s,
    }
    return {limit: value for limit, value in published.items() if value}
