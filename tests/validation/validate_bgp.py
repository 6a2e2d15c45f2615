"""Comparison of the BGP and BFD machines with the measured FRR routers.

`bgp_rows(seeds)` holds one row for each timer setting, kind of fault, quantity and quantile: what
was measured, what the model gives, and how often as many draws of the model as there were
repetitions lie at least as far from the model's own quantile (`chance_ratio`). Ten repetitions
say little about a 5th percentile: a row is off if it is beyond its tolerance *and* such a distance
is rare (`RARE`).

What the laboratory had and the product has not: the neighbour table of Linux, which forgets a
router that no longer answers (`forget_neighbour`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simulator.catalog import load_catalog
from tests.sessions.lab import BACK, LINK, THERE, cut, downs, run, session

DATA = Path(__file__).resolve().parent / "data"
SETTING = ["keepalive_s", "hold_s", "bfd_ms", "bfd_mult", "kind"]
QUANTITIES = ("detect_a_ms", "detect_b_ms", "fib_a_ms", "fib_b_ms", "outage_ab_ms", "outage_ba_ms")
QUANTILES = {0.05: 0.10, 0.5: 0.05, 0.95: 0.10}
"""Quantile and its tolerance."""
RARE = 0.001
"""Chance below which a distance is no accident: some forty cells and quantiles are independent."""
CLOCK_MS = 3.0
"""Below this the lab's cost of reading a clock (10 us each) is what was measured; outages are
measured to one probe."""
DELAY_S = (0.005, 0.010)
"""One way on link 1 and link 2."""
FAULT_S = 200.0
MS_PER_S = 1000.0
# Linux: an entry is good for 15 to 45 s (base 30 s), then 5 s of delay and 3 probes of 1 s.
REACHABLE_S, DELAY_PROBE_S, PROBES_S = (15.0, 45.0), 5.0, 3.0
DRAWS = 2_000


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


def measured() -> pd.DataFrame:
    """The measurements, one line for each repetition."""
    return pd.read_csv(DATA / "bgp_failover.csv")


def labs() -> Iterator[tuple[Lab, pd.DataFrame]]:
    """Yield every measured setting with its repetitions."""
    for setting, repetitions in measured().groupby(SETTING):
        yield Lab(*setting), repetitions  # type: ignore[misc]


def bgp_rows(seeds: int, keep: Callable[[Lab], bool] = lambda lab: True) -> pd.DataFrame:
    """Compare every setting that is kept, each with so many seeds of the model."""
    rows: list[dict[str, Any]] = []
    for lab, repetitions in labs():
        if keep(lab):
            probe_ms = float(repetitions["probe_ms"].iloc[0])
            model = simulated(lab, probe_ms / MS_PER_S, seeds)
            for quantity in QUANTITIES:
                known = repetitions[quantity].dropna().to_numpy()
                answer = model[quantity].dropna().to_numpy()
                resolution_ms = probe_ms if quantity.startswith("outage") else CLOCK_MS
                rows += _compare(lab, quantity, known, answer, resolution_ms)
    return pd.DataFrame(rows)


def _compare(
    lab: Lab,
    quantity: str,
    known: npt.NDArray[Any],
    model: npt.NDArray[Any],
    resolution_ms: float,
) -> Iterator[dict[str, Any]]:
    if not len(known):
        return
    generator = np.random.default_rng(1)
    samples = generator.choice(model, (DRAWS, len(known)))
    for quantile, tolerance in QUANTILES.items():
        was, is_now = np.quantile(known, quantile), np.quantile(model, quantile)
        error = is_now / was - 1.0
        spread = np.abs(np.quantile(samples, quantile, axis=1) - is_now)
        chance = float((spread >= abs(was - is_now)).mean())
        is_met = abs(error) <= tolerance or abs(is_now - was) <= resolution_ms
        yield {
            **lab.__dict__,
            "quantity": quantity,
            "quantile": quantile,
            "reps": len(known),
            "measured_ms": was,
            "model_ms": is_now,
            "error_ratio": error,
            "chance_ratio": chance,
            "is_met": is_met,
            "is_off": not is_met and chance < RARE,
        }


def pooled_rows(seeds: int) -> pd.DataFrame:
    """The same with all silent deaths of one detector together, in units of their settings.

    BGP: age of the last keepalive at the fault, in keepalive intervals, subtracted from three;
    BFD: the same with packets. So both are detection times at hold time and multiplier 3.
    """
    rows: list[dict[str, Any]] = []
    for detector, is_bfd in (("BGP", False), ("BFD", True)):
        known: list[float] = []
        model: list[float] = []
        for lab, repetitions in labs():
            if lab.kind != "silent" or (lab.bfd_mult > 0) is not is_bfd:
                continue
            times = repetitions["detect_a_ms"].to_numpy() / MS_PER_S
            known += [_scaled(lab, time_s) for time_s in times]
            answers = simulated(lab, 1.0, seeds)["detect_a_ms"].to_numpy() / MS_PER_S
            chosen = np.random.default_rng(1).choice(answers, len(times) * seeds // 10)
            model += [_scaled(lab, time_s) for time_s in chosen]
        lab = Lab(0.0, 0.0, 0.0, 3 if is_bfd else 0, "silent")
        rows += _compare(lab, f"{detector} pooled", np.array(known), np.array(model), 0.0)
    return pd.DataFrame(rows)


def _scaled(lab: Lab, detect_s: float) -> float:
    """Detection in intervals of the setting, as if three of them were waited for."""
    interval_s, waited_s = lab.keepalive_s, lab.hold_s
    if lab.bfd_mult:
        interval_s = lab.bfd_ms / MS_PER_S
        waited_s = lab.bfd_mult * interval_s
    return 3.0 - (waited_s + DELAY_S[0] - detect_s) / interval_s


# ---- the laboratory in the model ---------------------------------------------------------------


def simulated(lab: Lab, probe_s: float, seeds: int) -> pd.DataFrame:
    """The columns of the measurement from so many runs of the model, in ms."""
    return pd.DataFrame([_repetition(lab, probe_s, seed) for seed in range(seeds)]) * MS_PER_S


def _repetition(lab: Lab, probe_s: float, seed: int) -> dict[str, float]:
    bfd = ((lab.bfd_ms / MS_PER_S, lab.bfd_mult),) * 2 if lab.bfd_mult else ()
    spec = session(
        timers=((lab.keepalive_s, lab.hold_s),) * 2,
        bfd=bfd,
        in_phase=True,  # FRR's two ends send at the same instants, without jitter
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
    dead_s = {end: _dead_s(world, hop) for end, hop in (("A", THERE), ("B", BACK))}
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


def forget_neighbour(world: Any, keepalive_s: float) -> Iterator[Any]:
    """A hears no answer from B: its neighbour entry runs out, and its own direction dies too.

    The answer to each keepalive confirms the entry, and so do the probes of the entry itself when
    its time is over: cycles begin at each keepalive.
    """
    reachable_s = REACHABLE_S[0] + (REACHABLE_S[1] - REACHABLE_S[0]) * world.uniform("reachable")
    cycle_s = reachable_s + DELAY_PROBE_S
    age_s = keepalive_s * world.uniform(LINK, "keepalive", "both", counter=1)  # as the machine does
    left_s = cycle_s - age_s % cycle_s + PROBES_S
    yield world.wait(FAULT_S + left_s)
    if f"{LINK}@A bgp" not in world.state:
        world.state[f"dead {THERE}"] = left_s
        world.link_down((THERE,), 1)
