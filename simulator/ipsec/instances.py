"""How the instances of a VPN gateway live: who works, who takes over, and when.

active-standby   one VM ends all tunnels; another takes over in the published time
active-active    every VM ends its own; the platform's side moves flows to those that are left
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from simulator.catalog import Default
from simulator.draft import TunnelNote, drawn
from simulator.recorder import Detection
from simulator.states import (
    DOWN,
    DRAINED,
    FAILED,
    MOVING,
    PLANNED,
    RESTARTING,
    TAKEN_OVER,
    UP,
    WORKING,
    ZONE_LOST,
    fault_state,
    platform_state,
    state_of,
    tell,
)

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class GatewaySpec:
    """A gateway for its control process."""

    name: str
    is_active_active: bool
    vms: tuple[str, ...]
    own_hops: Mapping[str, tuple[int, ...]]
    """The hops that stop with an instance, by instance; only instances that end tunnels."""
    take_over: Default
    take_over_planned: Default
    switch_over: Default
    zone_switch: Default
    tunnels: Sequence[TunnelNote]
    """Of all gateways; filled in before the run."""
    is_lone_taken_over: bool
    """Whether another instance takes over the only tunnel of a connection with static routing."""

    def ends_lone_static_tunnels_only(self, vm: str) -> bool:
        """Whether all tunnels of an instance are the only ones of connections without BGP."""
        here = [tunnel for tunnel in self.tunnels if tunnel.instance == vm]
        counts = Counter(tunnel.connection for tunnel in self.tunnels)
        return bool(here) and all(
            tunnel.routing == "static" and counts[tunnel.connection] == 1 for tunnel in here
        )


def process(world: World, spec: GatewaySpec) -> Generator[Any, Any, None]:
    """Answer the faults of the gateway's VMs; faults tell the state `<vm> fault`.

    The state `<gateway> fault` is that of a reset or resize: it strikes whichever VM works.
    """
    machine = (_ActiveActive if spec.is_active_active else _ActiveStandby)(world, spec)
    faults = {fault_state(vm): vm for vm in (*spec.vms, spec.name)}
    known = dict.fromkeys(faults, UP)
    while True:
        fired = yield world.env.any_of([world.signal(fault).wait() for fault in faults])
        event_id = max(fired.values())
        for fault, vm in faults.items():
            state = state_of(world, fault)
            if state != known[fault]:
                known[fault] = state
                if vm == spec.name:
                    machine.restarted(state != UP, event_id)
                else:
                    machine.vm_changed(vm, state, event_id)


class _ActiveActive:
    """Every instance ends its own tunnels; the platform's side moves flows to those left."""

    def __init__(self, world: World, spec: GatewaySpec) -> None:
        self._world = world
        self._spec = spec
        self._switches = {vm: world.timer(partial(self._switch_over, vm)) for vm in spec.vms}
        self._take_overs = {vm: world.timer(partial(self._take_over, vm)) for vm in spec.vms}
        self._causes = dict.fromkeys(spec.vms, 0)
        self._reasons: dict[str, dict[str, str]] = {vm: {} for vm in spec.vms}
        """Why each VM does not work: state by what struck."""
        self._failures_count = 0

    def restarted(self, is_restarting: bool, event_id: int) -> None:
        """A reset reboots the first instance that works; its published time holds all."""
        self._change(self._spec.vms[0], "restart", RESTARTING if is_restarting else UP, event_id)

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """An instance failed, is maintained, or works again."""
        self._change(vm, "fault", state, event_id)

    def _change(self, vm: str, what: str, state: str, event_id: int) -> None:
        reasons = self._reasons[vm]
        had_reasons = bool(reasons)
        self._causes[vm] = event_id
        if state == UP:
            was_restarting = reasons.pop(what) == RESTARTING
            if not reasons:
                self._return(vm, TAKEN_OVER if was_restarting else UP, event_id)
            return
        reasons[what] = state
        if self._is_taken_over(vm, state):
            if not had_reasons:
                self._lone_tunnels_move(vm, state)
        elif had_reasons:
            tell(self._world, vm, _host_state(state), event_id)
        else:
            self._leave(vm, state, event_id)

    def _leave(self, vm: str, state: str, event_id: int) -> None:
        self._world.link_down(self._spec.own_hops[vm], event_id)
        tell(self._world, vm, _host_state(state), event_id)
        self._switches[vm].restart(self._drawn(vm, self._spec.switch_over, "switch-over"))

    def _return(self, vm: str, state: str, event_id: int) -> None:
        self._switches[vm].stop()
        self._take_overs[vm].stop()
        if state_of(self._world, vm) in WORKING:
            return  # another instance has its tunnels
        self._world.link_up(self._spec.own_hops[vm], event_id)
        tell(self._world, vm, state, event_id)
        tell(self._world, platform_state(vm), UP, event_id)

    def _switch_over(self, vm: str) -> None:
        detail = "the platform's side uses the other instances"
        fact = Detection(self._spec.switch_over.id, "gateway")
        event_id = self._world.event("switch-over", vm, self._causes[vm], detail, fact)
        tell(self._world, platform_state(vm), DOWN, event_id)

    # ---- the only tunnel of a connection: the reading `take-over` --------------------------------

    def _is_taken_over(self, vm: str, state: str) -> bool:
        spec = self._spec
        return (
            spec.is_lone_taken_over
            and state != RESTARTING
            and spec.ends_lone_static_tunnels_only(vm)
        )

    def _lone_tunnels_move(self, vm: str, state: str) -> None:
        """Smooth when it is planned; else the published time of a take-over."""
        if state in PLANNED:
            self._take_over(vm)
            return
        self._world.link_down(self._spec.own_hops[vm], self._causes[vm])
        tell(self._world, vm, FAILED, self._causes[vm])
        self._take_overs[vm].restart(self._drawn(vm, self._spec.take_over, "take-over"))

    def _take_over(self, vm: str) -> None:
        detail = "another instance works in its place"
        event_id = self._world.event("take-over", vm, self._causes[vm], detail)
        if state_of(self._world, vm) not in WORKING:
            self._world.link_up(self._spec.own_hops[vm], event_id)
            tell(self._world, vm, TAKEN_OVER, event_id)

    def _drawn(self, vm: str, duration: Default, name: str) -> float:
        share = self._world.uniform(vm, name, counter=self._failures_count)
        self._failures_count += 1
        return drawn(duration, share)


class _ActiveStandby:
    """One VM ends all tunnels under the name of the first; another takes over."""

    def __init__(self, world: World, spec: GatewaySpec) -> None:
        self._world = world
        self._spec = spec
        (self._role,) = spec.own_hops
        self._active = spec.vms[0]
        self._broken: set[str] = set()
        self._timer = world.timer(self._take_over)
        self._cause = 0
        self._is_out = False
        self._is_planned = False
        self._is_restarting = False
        self._failures_count = 0

    def restarted(self, is_restarting: bool, event_id: int) -> None:
        """A reset or resize: its published time holds the new SAs."""
        self._is_restarting = is_restarting
        if is_restarting:
            self._go_out(FAILED, event_id)
        elif self._active not in self._broken:
            self._serve(self._active, TAKEN_OVER, event_id)

    def vm_changed(self, vm: str, state: str, event_id: int) -> None:
        """A VM failed, is maintained, or works again."""
        if state == UP:
            self._broken.discard(vm)
            if vm == self._active:
                self._timer.stop()
                self._serve(vm, UP, event_id)
            elif self._active in self._broken and not self._timer.is_running:
                self._begin_take_over(self._spec.take_over, event_id)
            return
        self._broken.add(vm)
        if vm == self._active:
            self._is_planned = state in PLANNED
            self._go_out(MOVING if self._is_planned else FAILED, event_id)
            self._begin_take_over(self._duration(state), event_id)

    def _duration(self, state: str) -> Default:
        if state in PLANNED:
            return self._spec.take_over_planned
        return self._spec.zone_switch if state == ZONE_LOST else self._spec.take_over

    def _go_out(self, state: str, event_id: int) -> None:
        if not self._is_out:
            self._is_out = True
            self._world.link_down(self._spec.own_hops[self._role], event_id)
        if state_of(self._world, self._role) != FAILED:
            tell(self._world, self._role, state, event_id)

    def _begin_take_over(self, duration: Default, event_id: int) -> None:
        self._cause = event_id
        share = self._world.uniform(self._spec.name, "take-over", counter=self._failures_count)
        self._failures_count += 1
        self._timer.restart(drawn(duration, share))

    def _take_over(self) -> None:
        """The standby is ready, if there is one; else the next VM that works again will be."""
        standby = next((vm for vm in self._spec.vms if vm not in self._broken), None)
        if standby is not None:
            is_smooth = state_of(self._world, self._role) == MOVING
            detail = f"{standby} works in its place"
            event_id = self._world.event("take-over", self._role, self._cause, detail)
            self._serve(standby, UP if is_smooth else TAKEN_OVER, event_id)

    def _serve(self, vm: str, state: str, event_id: int) -> None:
        self._active = vm
        if self._is_restarting or not self._is_out:
            return
        self._is_out = False
        self._world.link_up(self._spec.own_hops[self._role], event_id)
        tell(self._world, self._role, state, event_id)


def _host_state(state: str) -> str:
    """What a VM that stops is for the tunnels that it ends."""
    return DRAINED if state == DRAINED else FAILED
