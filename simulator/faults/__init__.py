"""Faults, one file each; a fault is one entry of a scenario's `faults`."""

from __future__ import annotations

from types import ModuleType

from simulator.base.registry import Registry
from simulator.faults import (
    device_failure,
    instance_failure,
    internet_brownout,
    internet_flapping,
    internet_outage,
    tunnel_down,
    tunnel_silent,
)
from simulator.states import REPAIR

#: Kind of fault -> its module, with `Schema` and how it strikes.
FAULTS: Registry[ModuleType] = Registry("kind of fault")
FAULTS.add("internet-outage", internet_outage)
FAULTS.add("tunnel-down", tunnel_down)
FAULTS.add("gateway-instance-failure", instance_failure)
FAULTS.add("internet-brownout", internet_brownout)
FAULTS.add("internet-flapping", internet_flapping)
FAULTS.add("device-failure", device_failure)
FAULTS.add("tunnel-silent", tunnel_silent)


def begins(event_kind: str) -> bool:
    """Whether an event of this kind is the beginning of a fault."""
    return event_kind in FAULTS


def ends(event_kind: str) -> bool:
    """Whether an event of this kind ends the fault that it names as its cause."""
    return event_kind == REPAIR
