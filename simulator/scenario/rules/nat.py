"""Rules of gateway NAT."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.base.blocks import block
from simulator.base.errors import Problem
from simulator.scenario.rules.design import Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule

enforced_by("simulator.scenario.checks.nat", "R019", "R020", "R022", "R171", "R175")
enforced_by("simulator.nat.NatRuleSchema", "R173")
enforced_by("simulator.planner.routing.Network", "R174")
not_enforced("R021", "only connections of sites have a field for NAT rules")


@rule("R172")
def every_prefix_has_a_rule(design: Design) -> Iterator[Problem]:
    """Find prefixes that the NAT rules of a connection leave as they are."""
    for name, connection in design.ipsec.items():
        gateway, site = design.gateway_of(connection), design.site(connection.site)
        vnet = None if gateway is None else design.vnet(gateway.vnet)
        if gateway is None or site is None or vnet is None:
            continue
        known = block(gateway, "nat") or {}
        rules = [known[n] for n in block(connection, "nat") or () if n in known]
        for mode, prefixes in (("ingress", site.address_space), ("egress", vnet.address_space)):
            inside = [nat.internal for nat in rules if nat.mode == mode]
            left = [p for p in prefixes if inside and not any(p.overlaps(i) for i in inside)]
            if left:
                text = f"no {mode} rule of it translates {left[0]}"
                path = ("connections", name, "nat")
                yield design.problem(path, text, f"add one with internal: {left[0]}", key=True)
