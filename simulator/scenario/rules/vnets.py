"""Rules of VNets joined to VNets: by tunnels and by peerings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.base.errors import Problem
from simulator.scenario.rules.design import ACTIVE_ACTIVE, Design
from simulator.scenario.rules.registry import enforced_by, not_enforced, rule
from simulator.scenario.source import TreePath

if TYPE_CHECKING:
    from simulator.components.peering import Peering
    from simulator.components.vnet import Vnet

CLASSIC = "classic"

enforced_by("simulator.scenario.checks.connections._vnet_to_vnet", "R105")
enforced_by("simulator.scenario.checks.connections._peering", "R112")
enforced_by("simulator.components.peering.Peering", "R113")
enforced_by("simulator.planner.transit", "R111")
enforced_by("simulator.planner.decisions", "R115")
not_enforced("R106", "every region of the catalogue belongs to the public cloud")


# ---------------------------------------------------------------------------------------------
# VNet-to-VNet
# ---------------------------------------------------------------------------------------------


def _ends(design: Design) -> Iterator[tuple[str, list[Vnet]]]:
    """Connections between VNets whose gateways and VNets exist."""
    for name, connection in design.vnet_to_vnet.items():
        gateways = [design.parts.gateways.get(gateway) for gateway in connection.gateways]
        vnets = [design.vnet(gateway.vnet) for gateway in gateways if gateway is not None]
        found = [vnet for vnet in vnets if vnet is not None]
        if len(found) == len(connection.gateways):
            yield name, found


@rule("R104")
def vnets_may_differ(design: Design) -> Iterator[Problem]:
    """Say what the VNets of a connection need not share."""
    for name, (first, second) in _ends(design):
        pairs = {
            "region": (first.region, second.region),
            "subscription": (first.subscription, second.subscription),
            "deployment model": (first.deployment_model, second.deployment_model),
        }
        differ = [what for what, (a, b) in pairs.items() if a != b]
        if differ:
            text = f"the VNets differ in {' and '.join(differ)}, as they may"
            yield design.problem(("connections", name), text, key=True)


@rule("R108")
def transfer_between_regions_costs(design: Design) -> Iterator[Problem]:
    """Say whether what leaves a VNet for the other is billed."""
    for name, (first, second) in _ends(design):
        is_near = design.catalog.region(first.region) == design.catalog.region(second.region)
        text = "is free within one region" if is_near else "is billed as egress between regions"
        path = ("connections", name)
        yield design.problem(path, f"its traffic {text}", key=True)


@rule("R086")
def redundant_tunnels_between_vnets(design: Design) -> Iterator[Problem]:
    """Find a full mesh that is asked for between gateways with one active instance each."""
    for name, connection in design.vnet_to_vnet.items():
        gateways = [design.parts.gateways.get(gateway) for gateway in connection.gateways]
        modes = [gateway.mode for gateway in gateways if gateway is not None]
        path = ("connections", name, "tunnels")
        if design.written(path) == "full-mesh" and ACTIVE_ACTIVE not in modes:
            text = "neither gateway is active-active, so the mesh is one tunnel"
            yield design.problem(
                path, text, f"write mode: {ACTIVE_ACTIVE} for one, or tunnels: one"
            )


# ---------------------------------------------------------------------------------------------
# Peering
# ---------------------------------------------------------------------------------------------


def _peered(design: Design) -> Iterator[tuple[TreePath, Peering, Vnet, Vnet]]:
    """Peerings whose VNets exist, with their place."""
    for name, peering in design.peerings.items():
        first, second = (design.vnet(vnet) for vnet in peering.vnets)
        if first is not None and second is not None:
            yield ("connections", name), peering, first, second


@rule("R109")
def peering_passes_no_gateway(design: Design) -> Iterator[Problem]:
    """Say that a peering has no limit of a gateway."""
    for path, _, _, _ in _peered(design):
        text = "passes no gateway between the two VNets, and no gateway's limit"
        yield design.problem(path, text, key=True)


@rule("R110")
def peering_within_a_region(design: Design) -> Iterator[Problem]:
    """Find peerings between regions."""
    for path, _, first, second in _peered(design):
        if design.catalog.region(first.region) != design.catalog.region(second.region):
            text = "peering between regions is a preview in this era"
            yield design.problem((*path, "vnets"), text, "join them with tunnels instead")


def _transit_owner(peering: Peering, design: Design) -> tuple[Vnet | None, Vnet | None]:
    """The VNet that uses the other's gateways, and the other."""
    spoke = peering.use_remote_gateways
    if spoke is None:
        return None, None
    hub = next(name for name in peering.vnets if name != spoke)
    return design.vnet(spoke), design.vnet(hub)


@rule("R114")
def no_transit_between_models(design: Design) -> Iterator[Problem]:
    """Find gateway transit between the deployment models."""
    for path, peering, first, second in _peered(design):
        if peering.use_remote_gateways and first.deployment_model != second.deployment_model:
            text = "gateways are not shared between classic and Resource Manager"
            yield design.problem((*path, "use_remote_gateways"), text, "remove it")


@rule("R160")
def transit_from_resource_manager(design: Design) -> Iterator[Problem]:
    """Find gateway transit in which a classic VNet owns the gateway."""
    for path, peering, _, _ in _peered(design):
        spoke, hub = _transit_owner(peering, design)
        if spoke is None or hub is None or hub.deployment_model != CLASSIC:
            continue
        if spoke.deployment_model != CLASSIC:
            text = "the VNet with the gateway is classic, which shares it with classic VNets alone"
            yield design.problem((*path, "use_remote_gateways"), text, "remove it")


def _over(design: Design, limit_of: dict[str, tuple[float, str]]) -> Iterator[Problem]:
    """Peerings above the limit of one of their VNets, in the order of the file."""
    counts: dict[str, int] = {}
    for name, peering in design.peerings.items():
        for vnet in peering.vnets:
            counts[vnet] = counts.get(vnet, 0) + 1
            most, what = limit_of.get(vnet, (float("inf"), ""))
            if counts[vnet] > most:
                text = f"{what} {vnet} has {most:.0f} peerings, and this is {counts[vnet]}"
                path = ("connections", name)
                yield design.problem(path, text, "join the VNets by another hub", key=True)
                break


@rule("R116", stops=True)
def peerings_of_a_vnet_with_expressroute(design: Design) -> Iterator[Problem]:
    """Find peerings above the limit of a VNet with an ExpressRoute gateway: they are not made."""
    found = design.catalog.expressroute_parameter("spoke peerings of a VNet with ER gateway")
    gateways = design.parts.expressroute_gateways.values()
    what = "a VNet with an ExpressRoute gateway such as"
    limits = {gateway.vnet: (found.value or float("inf"), what) for gateway in gateways}
    yield from _over(design, limits)


@rule("R184", stops=True)
def peerings_of_a_vnet(design: Design) -> Iterator[Problem]:
    """Find peerings above the limit of a VNet: they are not made."""
    limit = design.catalog.limit("L025")
    most = limit.max or limit.value or float("inf")
    yield from _over(design, dict.fromkeys(design.parts.vnets, (most, "VNet")))


@rule("R168")
def classic_vnets_are_not_peered(design: Design) -> Iterator[Problem]:
    """Find peerings of two classic VNets."""
    for path, _, first, second in _peered(design):
        if first.deployment_model == second.deployment_model == CLASSIC:
            text = "two classic VNets cannot be peered"
            yield design.problem((*path, "vnets"), text, "join them with tunnels instead")


@rule("R170")
def models_of_two_subscriptions(design: Design) -> Iterator[Problem]:
    """Find peerings between deployment models and subscriptions, a preview in 2017."""
    for path, _, first, second in _peered(design):
        is_between = first.deployment_model != second.deployment_model
        if is_between and first.subscription != second.subscription:
            text = "peering classic and Resource Manager across subscriptions is a preview"
            yield design.problem((*path, "vnets"), text, "use one subscription")


@rule("R188")
def subscriptions_of_one_tenant(design: Design) -> Iterator[Problem]:
    """Find peerings between directory tenants."""
    for path, _, first, second in _peered(design):
        if first.tenant != second.tenant:
            text = "peered VNets belong to one directory tenant in this era"
            yield design.problem((*path, "vnets"), text, "join them with tunnels instead")
