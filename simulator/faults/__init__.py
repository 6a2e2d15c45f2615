"""Faults, one file each; a fault is one entry of a scenario's `faults`."""

from __future__ import annotations

from types import ModuleType

from simulator.base.registry import Registry
from simulator.faults import (
    bgp_session_reset,
    connection_reset,
    device_failure,
    device_reboot,
    expressroute_circuit_down,
    expressroute_instance_failure,
    expressroute_link_down,
    expressroute_one_way,
    gateway_maintenance,
    gateway_reset,
    ike_rekey_failure,
    instance_failure,
    internet_brownout,
    internet_flapping,
    internet_outage,
    msee_maintenance,
    p2s_login_storm,
    peering_location_outage,
    policy_change,
    sku_resize,
    tunnel_down,
    tunnel_silent,
    zone_outage,
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
FAULTS.add("gateway-maintenance", gateway_maintenance)
FAULTS.add("gateway-reset", gateway_reset)
FAULTS.add("sku-resize", sku_resize)
FAULTS.add("zone-outage", zone_outage)
FAULTS.add("connection-reset", connection_reset)
FAULTS.add("policy-change", policy_change)
FAULTS.add("ike-rekey-failure", ike_rekey_failure)
FAULTS.add("device-reboot", device_reboot)
FAULTS.add("p2s-login-storm", p2s_login_storm)
FAULTS.add("expressroute-link-down", expressroute_link_down)
FAULTS.add("expressroute-one-way", expressroute_one_way)
FAULTS.add("expressroute-circuit-down", expressroute_circuit_down)
FAULTS.add("expressroute-gateway-instance-failure", expressroute_instance_failure)
FAULTS.add("peering-location-outage", peering_location_outage)
FAULTS.add("msee-maintenance", msee_maintenance)
FAULTS.add("bgp-session-reset", bgp_session_reset)


def begins(event_kind: str) -> bool:
    """Whether an event of this kind is the beginning of a fault."""
    return event_kind in FAULTS


def ends(event_kind: str) -> bool:
    """Whether an event of this kind ends the fault that it names as its cause."""
    return event_kind == REPAIR
