"""The order in which a design is deployed: steps, what each waits for, and how long it all takes.

    VNet -> public addresses -> gateway -> connection <- local network gateway
                                   |           ^
                                   +-> device -+
    circuit -> provider -> private peering -> connection of the ExpressRoute gateway

A step begins as soon as everything is there that it waits for; steps that wait for nothing of one
another run in parallel. How long each takes is the catalogue's table `deployment-durations`, with
an `estimate` where nobody published it. Not modelled: limits of concurrent operations, retries, and
the differences between tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from simulator.base.blocks import block
from simulator.catalog import Row, load_catalog
from simulator.components import described
from simulator.scenario import Scenario

if TYPE_CHECKING:
    from simulator.components.peering import Peering

ACTIVE_ACTIVE = "active-active"


UNITS_S: Final = {"d": 86_400, "h": 3600, "min": 60, "s": 1}


def span(duration_s: float) -> str:
    """A time in its two largest units, for example `45 d 10 min`."""
    rest = round(duration_s)
    parts = []
    for unit, length in UNITS_S.items():
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


@dataclass(frozen=True)
class Step:
    """One step of a deployment, with its time since the start."""

    name: str
    kind: str
    """Row of the table `deployment-durations`."""
    after: tuple[str, ...]
    """Names of the steps that it waits for."""
    by: str
    """Who takes it: platform, customer or provider."""
    duration_s: float
    duration_s_min: float | None
    duration_s_max: float | None
    status: str
    source: str
    start_s: float = 0.0
    slack_s: float = 0.0
    """How much later it may end without making everything late."""

    @property
    def end_s(self) -> float:
        """When it ends."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class DeployPlan:
    """The steps of a deployment in the order in which they begin."""

    scenario: str
    steps: tuple[Step, ...]
    critical: tuple[str, ...]
    """The chain of steps that decides when everything is there, the first step first."""

    @property
    def total_s(self) -> float:
        """Time until everything is there."""
        return max((step.end_s for step in self.steps), default=0.0)

    @property
    def in_sequence_s(self) -> float:
        """Time that it would take one step after the other."""
        return sum(step.duration_s for step in self.steps)

    @property
    def parallel_max(self) -> int:
        """Most steps at the same time."""
        changes = [(step.start_s, 1) for step in self.steps]
        changes += [(step.end_s, -1) for step in self.steps]
        running, most = 0, 0
        for _, change in sorted(changes):
            running += change
            most = max(most, running)
        return most


def deploy_plan(scenario: Scenario) -> DeployPlan:
    """The steps in which a design is deployed, each as early as possible."""
    steps = _scheduled([*_Steps(scenario).all()])
    total_s = max((step.end_s for step in steps), default=0.0)
    return DeployPlan(scenario.name, tuple(_with_slack(steps, total_s)), _critical(steps))


# ---------------------------------------------------------------------------------------------
# The steps
# ---------------------------------------------------------------------------------------------


class _Steps:
    """What a scenario needs, with dependencies; a step's name says what it makes."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        table = load_catalog(scenario.era).table("deployment-durations")
        self._rows: dict[str, Row] = {row.text("kind"): row for row in table.rows}

    def _step(self, kind: str, thing: str, after: Sequence[str] = ()) -> Step:
        row = self._rows[kind]
        return Step(
            name=f"{kind} {thing}",
            kind=kind,
            after=tuple(dict.fromkeys(after)),
            by=row.text("by"),
            duration_s=row.number("duration_s"),
            duration_s_min=row.number_or_none("duration_s_min"),
            duration_s_max=row.number_or_none("duration_s_max"),
            status=row.text("status"),
            source=f"{row.text('source')}, {row.text('as_of')}",
        )

    def all(self) -> Iterator[Step]:
        """Every step, those before others first."""
        scenario = self._scenario
        for name in scenario.vnets:
            yield self._step("vnet", name)
        for name, gateway in scenario.gateways.items():
            yield from self._gateway(name, gateway)
        for name in scenario.section("peering_ports"):
            yield self._step("port-pair", name)
        for name, circuit in scenario.section("circuits").items():
            yield from self._circuit(name, circuit.port)
        for name, connection in scenario.connections.items():
            yield from self._connection(name, connection)
        yield from self._of_components()

    def _of_components(self) -> Iterator[Step]:
        """What components name as steps: kind, thing, and the steps before it."""
        for module in described():
            if hasattr(module, "deploy_steps"):
                for name, part in self._scenario.section(module.SECTION.name).items():
                    if isinstance(part, module.Schema):
                        yield from (self._step(*step) for step in module.deploy_steps(name, part))

    def _gateway(self, name: str, gateway: Any) -> Iterator[Step]:
        is_vpn = gateway.type == "vpn"
        kind = "vpn-gateway" if is_vpn else "expressroute-gateway"
        if gateway.resized_from is not None:
            # It stands already, with its VNet; the step keeps its name for those that wait.
            resized = self._step(f"{kind}-resize", name)
            yield replace(resized, name=f"{kind} {name}")
        else:
            addresses = [self._step("public-ip", n) for n in _addresses(name, gateway)]
            yield from addresses
            before = [f"vnet {gateway.vnet}", *(step.name for step in addresses)]
            yield self._step(kind, name, before)
        if is_vpn and block(gateway, "nat"):
            yield self._step("nat-rule", name, [f"{kind} {name}"])
        if is_vpn and block(gateway, "p2s") is not None:
            yield self._step("point-to-site", name, [f"{kind} {name}"])

    def _circuit(self, name: str, port: str | None) -> Iterator[Step]:
        yield self._step("circuit", name, [] if port is None else [f"port-pair {port}"])
        last = f"circuit {name}"
        if port is None:
            yield self._step("circuit-provider", name, [last])
            last = f"circuit-provider {name}"
        yield self._step("private-peering", name, [last])

    def _connection(self, name: str, connection: Any) -> Iterator[Step]:
        if connection.type == "ipsec":
            yield from self._tunnels(name, connection)
        elif connection.type == "vnet-to-vnet":
            yield self._step("connection", name, [f"vpn-gateway {g}" for g in connection.gateways])
        elif connection.type == "expressroute":
            before = [
                f"private-peering {connection.circuit}",
                f"expressroute-gateway {connection.gateway}",
            ]
            yield self._step("connection", name, before)
        elif connection.type == "peering":
            yield self._step("peering", name, [*self._peered(connection)])

    def _tunnels(self, name: str, connection: Any) -> Iterator[Step]:
        """A local network gateway and a configuration for each device, then the connection."""
        gateway = self._scenario.gateways[connection.gateway]
        site = self._scenario.sites[connection.site]
        built = connection.devices or [n for n, d in site.devices.items() if d.public_ip]
        before = [f"vpn-gateway {connection.gateway}"]
        if block(connection, "nat") and block(gateway, "nat"):
            before.append(f"nat-rule {connection.gateway}")
        for device in built:
            place = f"{name} {connection.site}.{device}"
            # The device must know the addresses of the gateway, and the gateway its own.
            addresses = [f"public-ip {n}" for n in _addresses(connection.gateway, gateway)]
            known = addresses if gateway.resized_from is None else before[:1]
            yield self._step("local-network-gateway", place)
            yield self._step("device", place, known)
            before += [f"local-network-gateway {place}", f"device {place}"]
        yield self._step("connection", name, before)

    def _peered(self, peering: Peering) -> Iterator[str]:
        yield from (f"vnet {name}" for name in peering.vnets)
        if peering.use_remote_gateways is not None:
            for name, gateway in self._scenario.gateways.items():
                if gateway.vnet in peering.vnets and gateway.vnet != peering.use_remote_gateways:
                    kind = "vpn-gateway" if gateway.type == "vpn" else "expressroute-gateway"
                    yield f"{kind} {name}"


def _addresses(name: str, gateway: Any) -> list[str]:
    """Names of the public addresses of a gateway."""
    given = getattr(gateway, "public_ips", None)
    active = getattr(gateway, "mode", "") == ACTIVE_ACTIVE
    count = len(given) if given else (gateway.instances if active else 1)
    return [f"{name}-{number}" for number in range(1, count + 1)]


# ---------------------------------------------------------------------------------------------
# Their times
# ---------------------------------------------------------------------------------------------


def _scheduled(steps: Sequence[Step]) -> list[Step]:
    """Each step as early as what it waits for allows; they come in an order that permits that."""
    ends_s: dict[str, float] = {}
    placed = []
    for step in steps:
        start_s = max((ends_s[name] for name in step.after), default=0.0)
        ends_s[step.name] = start_s + step.duration_s
        placed.append(replace(step, start_s=start_s))
    return sorted(placed, key=lambda step: step.start_s)


def _with_slack(steps: Sequence[Step], total_s: float) -> Iterator[Step]:
    """Each step with the time that it may be late."""
    latest_s = {step.name: total_s for step in steps}
    for step in sorted(steps, key=lambda s: s.end_s, reverse=True):
        for name in step.after:
            latest_s[name] = min(latest_s[name], latest_s[step.name] - step.duration_s)
    for step in steps:
        yield replace(step, slack_s=max(0.0, latest_s[step.name] - step.end_s))


def _critical(steps: Sequence[Step]) -> tuple[str, ...]:
    """The chain of steps that ends last, each waiting for the one before."""
    by_name = {step.name: step for step in steps}
    chain: list[str] = []
    step = max(steps, key=lambda s: s.end_s, default=None)
    while step is not None:
        chain.append(step.name)
        before = [by_name[name] for name in step.after]
        step = max(before, key=lambda s: s.end_s, default=None)
    return tuple(reversed(chain))
