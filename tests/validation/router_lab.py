"""The laboratory of the FRR routers, with the BGP and BFD machines in their place.

Routers A and B, two parallel links, a session on each, a host behind each router that sends probes
(data/README.md). The machines are the product's; what the laboratory had and the product has not
stands here:

* both ends send keepalives at the same instants, without jitter;
* an interface that goes down throws away what is on its way in the emulated link;
* the neighbour table of Linux, which forgets a router that no longer answers (`NeighbourEntry`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

from simulator.catalog import load_catalog
from tests.sessions.lab import BACK, LINK, THERE, cut, downs, run, session

SETTING = ["keepalive_s", "hold_s", "bfd_ms", "bfd_mult", "kind"]
DELAY_S = (0.005, 0.010)
"""One way on link 1 and link 2."""
FAULT_S = 200.0
MS_PER_S = 1000.0
# Linux: an entry is good for 15 to 45 s (base 30 s), then 5 s of delay and 3 probes of 1 s.
REACHABLE_S, DELAY_PROBE_S, PROBES_S = (15.0, 45.0), 5.0, 3.0
PROBING_S = 0.75
"""Since when hosts send probes at the fault. Not stated; an entry that rests begins to be used
then, which four of the ten one-way failures at 60/180 s show, all between 0.6 and 0.95 s."""


@dataclass(frozen=True)
class Lab:
    """One timer setting and kind of fault of the laboratory."""

    keepalive_s: float
    hold_s: float
    bfd_ms: float
    bfd_mult: int
    kind: str

    @property
    def dead_hops(self) -> tuple[int, ...]:
        """What the fault takes down; B to A alone if only A is deaf."""
        return (BACK,) if self.kind == "a_only" else (THERE, BACK)

    @property
    def interval_s(self) -> float:
        """Time between the messages whose absence is detected."""
        return self.bfd_ms / MS_PER_S if self.bfd_mult else self.keepalive_s

    @property
    def waited_s(self) -> float:
        """Time without a message after which the peer is dead."""
        return self.bfd_mult * self.interval_s if self.bfd_mult else self.hold_s

    @property
    def deaf_ends(self) -> str:
        """The ends that detect by a timer of their own whatever the other does."""
        if self.kind == "linkdown":
            return ""
        return "AB" if self.kind == "silent" else "A"


@cache
def simulated(lab: Lab, probe_s: float, seeds: int) -> pd.DataFrame:
    """Return the columns of the measurement from so many runs of the model, in ms."""
    return pd.DataFrame([_repetition(lab, probe_s, seed) for seed in range(seeds)]) * MS_PER_S


def _repetition(lab: Lab, probe_s: float, seed: int) -> dict[str, float]:
    bfd = ((lab.bfd_ms / MS_PER_S, lab.bfd_mult),) * 2 if lab.bfd_mult else ()
    spec = session(
        timers=((lab.keepalive_s, lab.hold_s),) * 2,
        bfd=bfd,
        in_phase=True,
        delay_s=DELAY_S[0],
        retry_s=(None, 1e6),
        interface_s=0.0,
    )
    scripts = [cut(lab.dead_hops, FAULT_S)]
    if lab.kind == "linkdown":
        scripts.append(interfaces_down)
    if lab.kind == "a_only" and not bfd:
        scripts.append(partial(forget_neighbour, keepalive_s=lab.keepalive_s))
    world = run(spec, *scripts, horizon_s=FAULT_S + 2 * lab.hold_s, seed=seed)
    found = downs(world)
    detect = {end: found[end].time_s - FAULT_S for end in "AB"}
    programming_s = load_catalog("current").default("bgp.route_programming").value
    fib = {end: detect[end] + programming_s for end in "AB"}
    # The last probe that arrives was sent before this.
    on_the_way_s = DELAY_S[0] if lab.kind == "linkdown" else 0.0
    dead_s = {end: _dead_s(world, hop) - on_the_way_s for end, hop in (("A", THERE), ("B", BACK))}
    phase = np.random.default_rng(seed).uniform(size=2) * probe_s
    return {
        "detect_a_ms": detect["A"],
        "detect_b_ms": detect["B"],
        "fib_a_ms": fib["A"],
        "fib_b_ms": fib["B"],
        "outage_ab_ms": _gap_s(dead_s["A"], fib["A"], phase[0], probe_s),
        "outage_ba_ms": _gap_s(dead_s["B"], fib["B"], phase[1], probe_s),
    }


def _dead_s(world: Any, hop: int) -> float:
    """When a direction died, from the fault on; never: NaN."""
    return float(
        world.state.get(f"dead {hop}", 0.0 if hop == BACK or hop in world.down else np.nan)
    )


def _gap_s(dead_s: float, moved_s: float, phase_s: float, probe_s: float) -> float:
    """Between the last probe that arrived over link 1 and the first over link 2."""
    if np.isnan(dead_s):
        return np.nan
    last_s = phase_s + np.ceil((dead_s - phase_s) / probe_s - 1) * probe_s
    first_s = phase_s + np.ceil((moved_s - phase_s) / probe_s) * probe_s
    return float(first_s + DELAY_S[1] - (last_s + DELAY_S[0]))


def interfaces_down(world: Any) -> Iterator[Any]:
    """Both ends see their interface go down with the link."""
    yield world.wait(FAULT_S)
    for end in "AB":
        name = f"{LINK}@{end} interface"
        world.state[name] = "down"
        world.signal(name).fire(1)


@dataclass(frozen=True)
class NeighbourEntry:
    """A's entry for B in the neighbour table, from the fault on when B's answers are lost.

    reachable   for a random time after it was confirmed; then it rests until somebody uses it
    delay       begins with the first packet; confirmed meanwhile, it is reachable again
    probes      three; without an answer the entry has failed and packets are thrown away

    A keepalive confirms the entry, for the acknowledgement of the one before. Where it finds the
    entry resting it is the first packet as well: delay and an answered probe follow. Hosts use it
    from `PROBING_S` before the fault on; forwarding over a reachable entry confirms nothing.
    """

    keepalive_s: float
    age_s: float
    """Age of A's last keepalive at the fault."""
    reachable_s: float

    def fails_s(self) -> float:
        """Return when the entry fails, from the fault on."""
        fails_s = self._begins_s() + DELAY_PROBE_S + PROBES_S
        next_s = self.keepalive_s - self.age_s
        if next_s < fails_s - PROBES_S:
            # The first keepalive after the fault still carries a confirmation.
            return next_s + self.reachable_s + DELAY_PROBE_S + PROBES_S
        return fails_s

    def _begins_s(self) -> float:
        """When the delay begins that no answer ends any more."""
        rests_between = self.reachable_s < self.keepalive_s
        if rests_between and self.age_s < DELAY_PROBE_S:
            return -self.age_s
        confirmed_s = (DELAY_PROBE_S if rests_between else 0.0) - self.age_s
        return max(confirmed_s + self.reachable_s, -PROBING_S)


def forget_neighbour(world: Any, keepalive_s: float) -> Iterator[Any]:
    """A hears no answer from B: its neighbour entry fails, and its own direction dies too."""
    share = world.uniform("reachable")
    entry = NeighbourEntry(
        keepalive_s,
        age_s=keepalive_s * world.uniform(LINK, "keepalive", "both", counter=1),  # the machine's
        reachable_s=REACHABLE_S[0] + (REACHABLE_S[1] - REACHABLE_S[0]) * share,
    )
    yield world.wait(FAULT_S + entry.fails_s())
    if f"{LINK}@A bgp" not in world.state:
        world.state[f"dead {THERE}"] = entry.fails_s()
        world.link_down((THERE,), 1)
