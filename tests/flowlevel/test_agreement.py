"""Flow level against packet level, where both apply; the long form rewrites the page in docs/."""

from pathlib import Path
from statistics import median

import pytest

from tests.flowlevel.cases import CASES, HELD_OUT, LOW_UTILISATION, Comparison, Row, compare

PAGE = Path(__file__).parents[2] / "docs" / "flow-agreement.md"

GOODPUT_BOUND = 0.05
UNEQUAL = "unequal distances"
UNEQUAL_BOUND = 0.25
"""Flows of unequal round trips share by a fitted rule, whose error the page states."""
UNSTABLE = ("two ways, one flow each", "two ways, 60 ms", "two ways, 50 up and 100 down")
UNSTABLE_BOUND = 0.35
"""Few or large windows both ways, or lines of unequal rates: bursts of ACKs hold one direction down
by more than windows of unequal size explain."""
FAR = "distances "
FAR_BOUND = 0.60
"""Held out: nothing was fitted on these distances, and the page says how far off the rule is."""
LATENCY_BOUND = 0.10
FULL_LATENCY_BOUND = 0.30
UTILISATION_BOUND = 0.01
SEEDS = 5
LONG = {"horizon": "1 h", "warm_up": "1 min", "time_bin": "1 min"}
LONG_CASES = (
    "shared up-link",
    "many sites, instance full",
    "calls, office and backup",
    "up and down at once",
    "open loop, half full",
)
SPEED_RATIO = 100.0

SHORT_CASES = (
    "bound by windows, standing queue",
    "open loop, overload",
    "calls, office and backup",
    "outage, timers ride it out",
)


def goodput_bound(row: Row) -> float:
    if row.case.startswith(UNEQUAL):
        return UNEQUAL_BOUND
    if row.case.startswith(FAR):
        return FAR_BOUND
    return UNSTABLE_BOUND if row.case in UNSTABLE else GOODPUT_BOUND


def latency_bound(row: Row) -> float:
    if row.case in UNSTABLE:
        return UNSTABLE_BOUND
    return LATENCY_BOUND if row.utilisation < LOW_UTILISATION else FULL_LATENCY_BOUND


def failures(found: Comparison) -> list[str]:
    """What of a comparison is out of bounds, in words."""
    said = []
    for row in found.rows:
        where = f"{row.case}: {row.stream} {row.direction}"
        if row.goodput[0] > 0.0 and abs(row.goodput_error) > goodput_bound(row):
            said.append(f"{where}: goodput {row.goodput_error:+.1%}")
        if abs(row.latency_error) > latency_bound(row):
            said.append(f"{where}: latency {row.latency_error:+.1%}")
    if found.is_open and found.utilisation_error > UTILISATION_BOUND:
        said.append(f"{found.case}: utilisation {found.utilisation_error:.2%}")
    return said


@pytest.mark.slow
@pytest.mark.parametrize("case", SHORT_CASES)
def test_levels_agree(case):
    assert failures(compare(case, seeds=1)) == []


@pytest.mark.validate
def test_levels_agree_in_all_cases_and_the_page_says_how_well():
    found = [compare(case, SEEDS) for case in CASES]
    long = [compare(case, 1, **LONG) for case in LONG_CASES]
    fresh = [compare(case, SEEDS) for case in HELD_OUT]
    PAGE.write_text(page(found, fresh, long), encoding="utf-8")
    assert [line for comparison in [*found, *fresh] for line in failures(comparison)] == []
    assert [c.case for c in long if c.speed_ratio < SPEED_RATIO] == []


def page(found: list[Comparison], fresh: list[Comparison], long: list[Comparison]) -> str:
    rows = [row for comparison in found for row in comparison.rows]
    carrying = [abs(row.goodput_error) for row in rows
                if row.goodput[0] > 0.0 and goodput_bound(row) == GOODPUT_BOUND]  # fmt: skip
    calm = [abs(r.latency_error) for r in rows if r.utilisation < LOW_UTILISATION]
    full = [abs(r.latency_error) for r in rows if r.utilisation >= LOW_UTILISATION]
    opened = [c.utilisation_error for c in found if c.is_open]
    lines = [
        "# Flow level against packet level",
        "",
        "Rebuilt by `make validate` (`tests/flowlevel/test_agreement.py`); the cases are in "
        f"`tests/flowlevel/cases.py`. Packet level: median of {SEEDS} seeds. "
        "150 s, of which the first 30 are left out. An error is flow / packet - 1.",
        "",
        "| figure | median error | largest error | must hold |",
        "|---|---|---|---|",
        "| goodput of a stream, but for the cases below | "
        f"{median(carrying):.2%} | {max(carrying):.1%} | "
        f"{GOODPUT_BOUND:.0%} |",
        f"| mean latency, hops below {LOW_UTILISATION:.0%} | {median(calm):.2%} | "
        f"{max(calm):.1%} | {LATENCY_BOUND:.0%} |",
        f"| mean latency, a hop fuller than that | {median(full):.1%} | {max(full):.1%} | "
        f"{FULL_LATENCY_BOUND:.0%} |",
        f"| utilisation of a hop, open loop, points | {median(opened):.2%} | {max(opened):.2%} | "
        f"{UTILISATION_BOUND:.0%} |",
        "",
        "Flows of unequal round trips at one full hop: a loss-based TCP favours the near ones, by "
        "how much depends on bursts and synchronised losses. The flow level shares as RTT^-1.5, "
        "queue counted in; see [the model](models/flow-level.md). The two cases below show its "
        f"error, bound {UNEQUAL_BOUND:.0%}.",
        "",
        "Constants of TCP (`FITTED_...` in `simulator/flowlevel/tcp.py`) were fitted to the packet "
        "level with this first table at hand, so its cases do not prove them. Nothing was fitted "
        "for TCP in both directions of a line, whose formula has no constant of its own.",
        "",
        "| case | stream | busiest hop | goodput, Mbit/s: packet | flow | error | "
        "mean latency, ms: packet | flow | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in rows]
    return "\n".join([*lines, *_held_out(fresh), *_speed(found, long)]) + "\n"


def _held_out(fresh: list[Comparison]) -> list[str]:
    return [
        "",
        "## Held out",
        "",
        "Cases on which nothing was fitted. TCP in both directions of a line: where the windows "
        "differ, the hop of the smaller ones idles (Zhang, Shenker and Clark, SIGCOMM 1991), the "
        f"bound is that of all others, {GOODPUT_BOUND:.0%}. With one flow each way, with 60 ms of "
        "round trip, and at lines of unequal rates, bursts of ACKs hold one direction down for "
        f"long, which is not in the formula: bound {UNSTABLE_BOUND:.0%}. Two distances: the "
        f"exponent 1.5 lies between those that packets show, bound {FAR_BOUND:.0%}.",
        "",
        "| case | stream | busiest hop | goodput, Mbit/s: packet | flow | error | "
        "mean latency, ms: packet | flow | error |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for comparison in fresh for row in comparison.rows if row.goodput[0] > 0.0),
    ]


def _speed(found: list[Comparison], long: list[Comparison]) -> list[str]:
    return [
        "",
        "## Speed",
        "",
        "CPU time of the engine on the machine that rebuilt this page, kernels compiled; one hour "
        "in bins of a minute. The flow level does not pay for packets, so the ratio grows with "
        "rate and horizon: it must be 100 on each of these long scenarios. The 150 s of the tables "
        f"above have ratios from {min(c.speed_ratio for c in found):.0f} to "
        f"{max(c.speed_ratio for c in found):.0f}: a run at flow level costs some hundredths of a "
        "second however short it is.",
        "",
        "| one hour | packet level, s | flow level, s | ratio |",
        "|---|---|---|---|",
        *(
            f"| {c.case} | {c.cpu_s[0]:.1f} | {c.cpu_s[1]:.3f} | {c.speed_ratio:.0f} |"
            for c in long
        ),
    ]


def _line(row: Row) -> str:
    packet, flow = (f"{bps / 1e6:.4g}" for bps in row.goodput)
    error = f"{row.goodput_error:+.1%}"
    if row.goodput[0] == 0.0:
        packet, flow, error = "ACKs", "", ""
    before_ms, after_ms = (1e3 * s for s in row.latency_s)
    return (
        f"| {row.case} | {row.stream} {row.direction} | {row.utilisation:.0%} | {packet} | "
        f"{flow} | {error} | {before_ms:.2f} | {after_ms:.2f} | {row.latency_error:+.1%} |"
    )
