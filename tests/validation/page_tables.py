"""The Markdown tables of the validation page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from tests.validation.published import NOT_EXPRESSIBLE
from tests.validation.sets import Held

CONTROLS = {"cubic": "CUBIC", "reno": "NewReno", "bbr": "BBR"}


def table_text(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines
    )


def percent(ratio: float) -> str:
    """Return a ratio as a signed percentage."""
    return f"{100 * ratio:+.1f} %" if abs(ratio) < 0.1 else f"{100 * ratio:+.0f} %"


def quantity(value: float, unit: str) -> str:
    """Return a published or simulated number as people read it."""
    if unit == "bps":
        return f"{value / 1e6:.4g} Mbit/s"
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
    return f"{value:.3g} {unit}"


def measured_text(row: Any) -> str:
    """Return a published value, range or bound."""
    low, high = row.measured_low, row.measured_high
    if math.isnan(low):
        return f"at most {quantity(high, row.unit)}"
    if math.isnan(high):
        return f"at least {quantity(low, row.unit)}"
    if low == high:
        return quantity(low, row.unit)
    return f"{quantity(low, row.unit)} to {quantity(high, row.unit)}"


def held_text(lines: Iterable[tuple[str, Held]]) -> str:
    """Return the table of what must hold."""

    def cell(line: Held, value: float) -> str:
        return f"{100 * value:.1f} %" if line.is_ratio else f"{value:.3f}"

    return table_text(
        ("data set", "figure", "is", "must be", "holds"),
        [
            (
                title,
                line.figure,
                cell(line, line.value),
                f"{'at least' if line.is_floor else 'at most'} {cell(line, line.bound)}",
                "yes" if line.is_held else "**no**",
            )
            for title, line in lines
        ],
    )


def published_text(rows: pd.DataFrame) -> str:
    """Return every published number with the model's answer."""
    lines = []
    for row in rows.itertuples():
        if row.verdict == NOT_EXPRESSIBLE:
            simulated, error = "", ""
            verdict = f"not expressible: {row.reason}"
        else:
            simulated = quantity(row.simulated, row.unit)
            if int(row.draws) > 1:
                low, high = row.draw_low, row.draw_high
                simulated += f" ({quantity(low, row.unit)} to {quantity(high, row.unit)})"
            error = percent(row.error)
            verdict = row.verdict + (", input" if row.is_input else "")
            verdict += f": {row.reason}" if row.reason else ""
        lines.append(
            (
                row.row,
                row.trust.partition(" ")[0],
                row.configuration,
                row.metric,
                measured_text(row),
                simulated,
                error,
                verdict,
            )
        )
    head = ("row", "trust", "configuration", "metric", "published", "simulated", "error", "verdict")
    return table_text(head, lines)


def steady_off_text(rows: pd.DataFrame) -> str:
    """Return the configurations of the steady-state files that are off, with reasons."""
    off = rows[rows["verdict"] != "met"]
    return table_text(
        (
            "control",
            "rate, RTT, queue",
            "flows",
            "loss",
            "goodput, measured",
            "simulated",
            "reason",
        ),
        [
            (
                CONTROLS[row.cc],
                f"{row.rate_mbit:g} Mbit/s, {row.rtt_ms:g} ms, {row.queue_bytes / 1e3:.4g} kB",
                f"{row.flows}",
                f"{row.loss:g}",
                f"{row.goodput_mbps_measured:.4g} Mbit/s",
                f"{row.goodput_mbps_model:.4g} Mbit/s",
                row.reason,
            )
            for row in off.itertuples()
        ],
    )


def outages_off_text(rows: pd.DataFrame) -> str:
    """Return the recoveries that are off."""
    off = rows[rows["verdict"] != "met"]
    return table_text(
        ("control", "RTT", "lost", "outage", "back to 90 %, measured", "simulated", "reason"),
        [
            (
                CONTROLS[row.cc],
                f"{row.rtt_ms:g} ms",
                {"both": "both directions", "data": "data", "ack": "ACKs"}[row.kind],
                f"{row.outage_set_s:g} s",
                f"{row.t90_s_measured:.1f} s",
                f"{row.t90_s_model:.1f} s",
                row.reason,
            )
            for row in off.itertuples()
        ],
    )


def shares_text(rows: pd.DataFrame) -> str:
    """Return the shares of flows of unequal RTT, one line for each configuration."""
    lines = []
    for (cc, rtts, rate, queue), group in rows.groupby(
        ["cc", "rtts_ms", "rate_mbit", "queue_bytes"]
    ):
        shares = [
            " + ".join(f"{100 * s:.0f}" for s in group[name])
            for name in ("share_measured", "share_model")
        ]
        error = 100 * group["share_error"].abs().max()
        lines.append(
            (
                CONTROLS[cc],
                f"{rtts} ms",
                f"{rate:g} Mbit/s",
                f"{queue / 1e3:.4g} kB",
                *(f"{s} %" for s in shares),
                f"{error:.1f} points",
                "met" if error <= 10 else "off",
            )
        )
    head = ("control", "RTTs", "rate", "queue", "measured", "simulated", "error", "verdict")
    return table_text(head, lines)


def switches_text(rows: pd.DataFrame) -> str:
    """Return what each switch of the TCP model changes."""
    head = (
        "changed",
        "goodput error mean / p90",
        "RTT error mean",
        "retransmissions, model / measured",
        "share error mean",
        "outages within a step",
        "time to 90 %, mean error",
    )
    return table_text(
        head,
        [
            (
                row.changed,
                f"{100 * row.goodput_error_mean:.1f} / {100 * row.goodput_error_p90:.1f} %",
                f"{100 * row.srtt_error_mean:.1f} %",
                f"{row.retransmitted_ratio:.2f}",
                f"{100 * row.share_error_mean:.1f} points",
                f"{100 * row.outages_close:.0f} %",
                f"{row.t90_error_s_mean:.2f} s",
            )
            for row in rows.itertuples()
        ],
    )


def crypto_text(rows: pd.DataFrame) -> str:
    """Return the fitted line of each suite and direction."""
    lines = []
    for (suite, way), group in rows.groupby(["suite", "dir"]):
        first = group.iloc[0]
        worst = group.loc[group["residual_ratio"].abs().idxmax()]
        lines.append(
            (
                suite,
                way,
                f"{first.per_packet_ns:.1f} ns",
                f"{first.per_byte_ns:.4f} ns",
                f"{100 * group['residual_ratio'].abs().median():.1f} %",
                f"{percent(worst.residual_ratio)} at {worst.bytes:.0f} bytes",
            )
        )
    head = ("suite", "direction", "per packet", "per byte", "residual, median", "largest")
    return table_text(head, lines)


def esp_text(rows: pd.DataFrame) -> str:
    """Return how many rows of each encapsulation are exact."""
    lines = [
        (
            str(name),
            f"{len(group)}",
            f"{int(group['is_exact'].sum())}",
            f"{int((group['packets_measured'] > 1).sum())}",
        )
        for name, group in rows.groupby("encapsulation")
    ]
    lines.append(
        (
            "all",
            f"{len(rows)}",
            f"{int(rows['is_exact'].sum())}",
            f"{int((rows['packets_measured'] > 1).sum())}",
        )
    )
    return table_text(("encapsulation", "rows", "exact", "of them in fragments"), lines)


def setting_text(row: Any) -> str:
    """Return the timers of one laboratory setting and its fault."""
    kind = {"silent": "silent", "a_only": "one way", "linkdown": "link down"}[row.kind]
    bfd = f", BFD {row.bfd_ms:g} ms x {row.bfd_mult:g}" if row.bfd_mult else ""
    return f"{kind}, BGP {row.keepalive_s:g}/{row.hold_s:g} s{bfd}"


def milliseconds(value: float) -> str:
    """Return whole milliseconds, or four digits of fewer than a thousand."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"


def routers_text(rows: pd.DataFrame) -> str:
    """Return the median and both tails of every quantity of every setting."""
    keys = ["keepalive_s", "hold_s", "bfd_ms", "bfd_mult", "kind", "quantity"]
    lines = []
    for _, group in rows.groupby(keys, sort=False):
        cells = []
        for row in group.itertuples():
            mark = "" if row.verdict == "met" else f" ({row.verdict})"
            cells.append(
                f"{milliseconds(row.measured_ms)} / {milliseconds(row.model_ms)}, "
                f"{percent(row.error_ratio)}{mark}"
            )
        first = next(group.itertuples())
        lines.append(
            (setting_text(first), first.quantity.removesuffix("_ms"), f"{first.reps}", *cells)
        )
    head = (
        "setting",
        "quantity",
        "repetitions",
        "5th percentile, ms",
        "median, ms",
        "95th percentile, ms",
    )
    return table_text(head, lines)


def timers_text(row: Any) -> str:
    """Return a setting, or which of them a line counts together."""
    return "**all**" if row.kind == "all" else setting_text(row)


def perfect_text(rows: pd.DataFrame) -> str:
    """Return how many rows are met, and how many routers would meet that are the model."""
    head = (
        "setting",
        "repetitions",
        "rows",
        "met",
        "met by the model's own draws, median",
        "99 of 100 times",
        "all of them met",
    )
    return table_text(
        head,
        [
            (
                timers_text(row),
                f"{row.reps:.0f}",
                f"{row.rows:.0f}",
                f"{row.measured_met:.0f}",
                f"{row.perfect_median:.0f}",
                f"{row.perfect_low:.0f} to {row.perfect_high:.0f}",
                f"{100 * row.perfect_all_ratio:.1f} %",
            )
            for row in rows.itertuples()
        ],
    )


def perfect_summary(rows: pd.DataFrame) -> dict[str, str]:
    """Return the figures of the last line, for the text."""
    row = rows[rows["kind"] == "all"].iloc[0]
    return {
        "perfect_median": f"{row.perfect_median:.0f}",
        "perfect_range": f"{row.perfect_low:.0f} to {row.perfect_high:.0f}",
        "perfect_all": f"{100 * row.perfect_all_ratio:.1f} %",
    }


def phases_text(rows: pd.DataFrame) -> str:
    """Return, setting by setting, what follows from the phase and how far it is off at most."""
    lines = []
    for _, group in rows.groupby(["keepalive_s", "hold_s", "bfd_ms", "bfd_mult", "kind"]):
        gap = (group["model_ms"] - group["measured_ms"]).abs()
        far = group.loc[gap.idxmax()]
        lines.append(
            (
                setting_text(next(group.itertuples())),
                ", ".join(name.removesuffix("_ms") for name in group["quantity"].unique()),
                f"{int(group['is_met'].sum())} of {len(group)}",
                f"{far['quantity'].removesuffix('_ms')} at {far['quantile']:g}: "
                f"{milliseconds(far['measured_ms'])} / {milliseconds(far['model_ms'])}",
            )
        )
    head = ("setting", "what follows", "met", "furthest in ms, measured / simulated")
    return table_text(head, lines)


def ages_text(rows: pd.DataFrame) -> str:
    """Return the phases of every setting, in intervals of its messages."""
    lines = [
        (
            row.detector,
            timers_text(row),
            f"{row.ends}",
            f"{row.age_measured:.3f} ({row.low:.3f} to {row.high:.3f})",
            f"{row.age_model:.3f}",
            f"{100 * row.ks_ratio:.2g} %",
        )
        for row in rows.itertuples()
    ]
    head = (
        "detector",
        "setting",
        "ends",
        "mean age, measured (95 %)",
        "simulated",
        "chance of such phases",
    )
    return table_text(head, lines)
