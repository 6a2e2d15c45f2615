"""Studies as plain text, for a person at a terminal."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator.base.units import format_duration, format_money, format_rate, format_size
from simulator.console import WIDTH, cut, table, wrapped

if TYPE_CHECKING:
    import pandas as pd

    from simulator.planner.break_even import BreakEven, Tariff
    from simulator.planner.cost import CostLine
    from simulator.study.check import Check
    from simulator.study.cost import Cost
    from simulator.study.sweep import Sweep
    from simulator.study.whatif import Whatif

S_PER_HOUR: Final = 3600
ITEM_WIDTH: Final = 40
SUBJECT_WIDTH: Final = 31
UNKNOWN: Final = "unknown"
HINT: Final = "    "
FAILURES_MAX: Final = 10
CASES_SHOWN: Final = 12
STREAM_WIDTH: Final = 18


def check_text(check: Check) -> str:
    """Say of each target whether it is met, those that are not at the end."""
    judgements = sorted(check.judgements, key=lambda judgement: not judgement.is_met)
    runs = check.done.finished
    failed = [judgement.target for judgement in check.failed]
    verdict = "all targets are met" if check.is_passed else f"FAILED: {', '.join(failed)}"
    lines = [
        check.title or check.scenario,
        "1 replication; the worst stream counts"
        if runs == 1
        else f"{runs} replications; the worst stream of the worst replication counts",
        *(f"  {judgement}" for judgement in judgements),
        verdict,
    ]
    return "\n".join(lines) + "\n"


# ---- cost ------------------------------------------------------------------------------------


def cost_text(cost: Cost) -> str:
    """The ledger with its total, where prices come from, and the break-even if asked for."""
    found = cost.ledger
    sources = list(dict.fromkeys(line.source for line in found.lines))
    rows = [
        (
            cut(line.item, ITEM_WIDTH),
            cut(line.subject, SUBJECT_WIDTH),
            f"{line.quantity:,.10g} {line.unit}",
            _rate(line),
            UNKNOWN if line.amount_usd is None else f"{line.amount_usd:,.2f}",
            f"[{sources.index(line.source) + 1}]",
        )
        for line in found.lines
    ]
    header = ("item", "for", "quantity", "USD each", "USD", "price")
    lines = [
        cost.title or cost.scenario,
        *wrapped(
            f"A month has {found.month_s / S_PER_HOUR:g} hours. Volume: that of {_horizon(cost)}, "
            f"as if the traffic went on for {found.traffic_s / S_PER_HOUR:g} hours of the month."
        ),
        "",
        *_narrow(header, rows),
        "",
        *_total(cost),
        *(line for line in _notes(cost)),
        "",
        *_sources(sources),
    ]
    if cost.break_even is not None:
        lines += ["", *_break_even(cost.break_even)]
    return "\n".join(lines) + "\n"


def _narrow(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The ledger in 100 columns: what an item is for stands below it."""
    lines = table(
        (header[0], *header[2:]),
        [(row[0], *row[2:]) for row in rows],
        right=(1, 2, 3),
    )
    out = lines[:1]
    before = ""
    for line, row in zip(lines[1:], rows, strict=True):
        if row[1] != before:
            out.append(f"{row[1]}:")
            before = row[1]
        out.append(f"  {line}")
    out[0] = f"  {out[0]}"
    return out


def _rate(line: CostLine) -> str:
    if line.rate_usd is None:
        return UNKNOWN
    return f"{line.rate_usd:,.10g}{' est.' if line.is_estimate else ''}"


def _horizon(cost: Cost) -> str:
    return f"{format_duration(cost.horizon_s)} simulated"


def _total(cost: Cost) -> Iterator[str]:
    found = cost.ledger
    if found.total_usd is not None:
        yield f"total: {format_money(found.total_usd)} a month"
        return
    names = ", ".join(dict.fromkeys(line.item for line in found.unknown))
    yield f"total: {UNKNOWN}; {format_money(found.known_usd)} a month without what is unknown:"
    yield from wrapped(names, HINT)


def _notes(cost: Cost) -> Iterator[str]:
    notes = dict.fromkeys(line.note for line in cost.ledger.lines if line.note)
    for note in notes:
        yield from wrapped(note, HINT, "  ")
    if any(line.is_estimate for line in cost.ledger.lines):
        yield "  est.: an estimate, or the price of another region"


def _sources(sources: list[str]) -> Iterator[str]:
    for number, source in enumerate(sources, start=1):
        yield from wrapped(source, HINT + "  ", f"[{number}] ")


def _break_even(found: BreakEven) -> Iterator[str]:
    yield "Break-even, by volume that leaves the platform in a month:"
    for tariff in found.tariffs:
        fixed = UNKNOWN if tariff.fixed_usd is None else format_money(tariff.fixed_usd)
        yield from wrapped(
            f"{fixed} a month ({tariff.parts}); a GB costs {_volume_price(tariff)}",
            HINT,
            f"  {tariff.name}: ",
        )
    for crossing in found.crossings:
        yield from wrapped(
            f"from {crossing.volume:,.0f} GB a month ({format_rate(crossing.mean_bps)} on average) "
            f"on {crossing.cheaper_above} is cheaper than {crossing.cheaper_below}; both cost "
            f"{format_money(crossing.cost_usd)} there",
            HINT,
            "",
        )
    crossed = {frozenset((c.cheaper_below, c.cheaper_above)) for c in found.crossings}
    names = [tariff.name for tariff in found.tariffs]
    for n, one in enumerate(names):
        for other in names[n + 1 :]:
            if frozenset((one, other)) not in crossed:
                yield from wrapped(_never(one, other, found), HINT, "")


def _never(one: str, other: str, found: BreakEven) -> str:
    tariffs = {tariff.name: tariff for tariff in found.tariffs}
    least = min((tariffs[name] for name in (one, other)), key=lambda tariff: tariff.volume_max)
    costs = [tariffs[name].cost_usd(least.volume_max) for name in (one, other)]
    upto = f"up to {least.volume_max:,.0f} GB a month, the most that {least.name} carries"
    if costs[0] is None or costs[1] is None:
        return f"{one} and {other}: not known, because a price is unknown ({upto})"
    cheaper = one if costs[0] < costs[1] else other
    return f"{one} and {other} do not cross {upto}: {cheaper} is always cheaper"


def _volume_price(tariff: Tariff) -> str:
    if not tariff.tiers:
        return "nothing"
    if len(tariff.tiers) == 1 and tariff.tiers[0].price_usd is not None:
        return f"{tariff.tiers[0].price_usd:g} USD"
    return ", ".join(
        f"{UNKNOWN if tier.price_usd is None else f'{tier.price_usd:g}'} from {tier.begin:,.0f} GB"
        for tier in tariff.tiers
    )


# ---- sweep -----------------------------------------------------------------------------------


def sweep_text(found: Sweep) -> str:
    """How many points there are, which failed and why, and where the table is."""
    kept = f", {found.kept_count} of them were there already" if found.kept_count else ""
    lines = [
        found.title,
        f"{found.points_count} points{kept}; {found.failed_count} failed; "
        f"{len(found.table)} rows in {found.wall_s:.1f} s",
        *_failures(found),
        f"table: {found.url}/table.parquet (simulator.open_sweep({found.url!r}).table)",
    ]
    return "\n".join(lines) + "\n"


def _failures(found: Sweep) -> Iterator[str]:
    failed = found.failed
    for row in failed.head(FAILURES_MAX).to_dict("records"):
        yield from wrapped(str(row["error"]).splitlines()[0], HINT, f"  point {row['point']}: ")
    if len(failed) > FAILURES_MAX:
        yield f"  ... and {len(failed) - FAILURES_MAX} more in the table"


# ---- worst cases -----------------------------------------------------------------------------


def whatif_text(found: Whatif, folder: Path) -> str:
    """The worst fault of each stream, then the worst cases of all."""
    when = found.timing
    lines = [
        found.title or found.scenario,
        f"{found.cases_count} cases of {format_duration(when.horizon_s)}, faults at "
        f"{format_duration(when.at_s)}; those that do not end by themselves last "
        f"{format_duration(when.lasting_s)}",
        "",
        "worst for each stream",
        *_whatif_table(found.worst),
        "",
        "worst cases",
        *_whatif_table(found.table[found.table["is_affected"] == "yes"].head(CASES_SHOWN)),
    ]
    unharmed = found.table.groupby("fault")["is_affected"].agg(lambda says: set(says) == {"no"})
    lines += ["", f"{int(unharmed.sum())} of {len(unharmed)} cases leave all streams alone"]
    lines += [cut(f"not run: {fault}: {why}", WIDTH) for fault, why in found.refused]
    return "\n".join([*lines, f"files: {folder}"]) + "\n"


def _whatif_table(rows: pd.DataFrame) -> list[str]:
    cells = [
        (
            f"{cut(row['stream'], STREAM_WIDTH)} {row['direction']}",
            f"{row['outage_s']:,.1f} s",
            f"{row['degraded_s']:,.1f} s",
            format_size(row["bytes_lost"]),
            "-" if math.isnan(row["latency_s_p95"]) else format_duration(row["latency_s_p95"]),
            _back_after(row),
            row["fault"] if row["is_affected"] == "yes" else "none does it harm",
        )
        for row in rows.to_dict("records")
    ]
    header = ("stream", "outage", "degraded", "lost", "worst p95", "back after", "fault")
    return table(header, cells, right=(1, 2, 3, 4, 5))


def _back_after(row: Mapping[Hashable, Any]) -> str:
    if row["is_affected"] != "yes":
        return "-"
    after_s = row["recovered_after_s"]
    return "no" if math.isnan(after_s) else f"{after_s:,.1f} s"
