"""Comparisons and rankings as Markdown, for a pull request; a terminal reads it as well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from simulator.base.units import (
    DURATION,
    MONEY,
    RATE,
    RATIO,
    Dimension,
    format_money,
    format_quantity,
)
from simulator.headlines import COST
from simulator.study.compare import IDENTICAL, NO_EVIDENCE

if TYPE_CHECKING:
    from simulator.study.axis import Ranking
    from simulator.study.compare import Comparison

DIGITS: Final = 3
INPUTS_MAX: Final = 30
UNKNOWN: Final = "unknown"
DIMENSION_OF: Final = {"bps": RATE, "s": DURATION, "ratio": RATIO, "usd": MONEY}
"""A part of a figure's name -> its dimension."""


def markdown(found: Comparison) -> str:
    """Verdict, inputs that differ, and the figures with their intervals."""
    lines = [f"## {found.names[0]} against {', '.join(found.names[1:])}", ""]
    lines += [
        f"{found.replications} replications with the same traffic in every design; intervals hold "
        f"together with {100 * found.confidence:g} % confidence.",
    ]
    for name in found.names[1:]:
        lines += ["", f"### {name}: {found.verdict(name)}", *_inputs(found, name), ""]
        lines += list(_figures(found, name))
    return "\n".join(lines) + "\n"


def _inputs(found: Comparison, name: str) -> Iterator[str]:
    inputs = found.differences[name]
    yield ""
    if not inputs:
        yield "No input differs."
        return
    yield f"| input | {found.names[0]} | {name} |"
    yield "|---|---|---|"
    for entry in inputs[:INPUTS_MAX]:
        yield f"| `{entry.path}` | {_cell(entry.baseline)} | {_cell(entry.other)} |"
    if len(inputs) > INPUTS_MAX:
        yield f"| ... and {len(inputs) - INPUTS_MAX} more | | |"


def _figures(found: Comparison, name: str) -> Iterator[str]:
    rows = found.table[found.table["design"] == name]
    shown = rows[~rows["verdict"].isin([IDENTICAL]) | (rows["figure"] == COST)]
    yield f"| stream | figure | {found.names[0]} | {name} | difference | interval | |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for row in shown.to_dict("records"):
        yield "| " + " | ".join(_figure_cells({str(k): v for k, v in row.items()})) + " |"
    same = len(rows) - len(shown)
    if same:
        yield f"| {same} more figures | | | | | | identical |"


def _figure_cells(row: dict[str, Any]) -> list[str]:
    dimension = dimension_of(row["figure"])
    verdict = row["verdict"]
    marked = verdict if verdict in {IDENTICAL, NO_EVIDENCE} else f"**{verdict}**"
    where = f"{row['stream']} {row['direction']}".strip() or "design"
    interval = f"{_signed(row['low'], dimension)} to {_signed(row['high'], dimension)}"
    return [
        where,
        f"`{row['figure']}`",
        shown_value(row["baseline"], dimension),
        shown_value(row["other"], dimension),
        f"{_signed(row['difference'], dimension)}{_share(row['ratio'])}",
        interval,
        marked,
    ]


def dimension_of(figure: str) -> Dimension:
    """The dimension that the name of a figure carries."""
    return next(DIMENSION_OF[part] for part in reversed(figure.split("_")) if part in DIMENSION_OF)


def shown_value(value: float, dimension: Dimension) -> str:
    """A value with three digits and its unit; money to the cent."""
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else "infinite"
    if dimension is MONEY:
        return format_money(value)
    return format_quantity(value, dimension, DIGITS)


def _signed(value: float, dimension: Dimension) -> str:
    text = shown_value(value, dimension)
    return f"+{text}" if math.isfinite(value) and value > 0 else text


def _share(ratio: float) -> str:
    if not math.isfinite(ratio) or ratio == 0:
        return ""
    return f" ({100 * ratio:+.2g} %)"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or "-"


# ---- rankings --------------------------------------------------------------------------------

RANKING_HEAD: Final = (
    "rank",
    "value",
    "",
    "goodput",
    "p95 latency",
    "loss",
    "headroom",
    "tunnels",
    "USD/month",
    "why",
)


def ranking_markdown(found: Ranking) -> str:
    """One row for each value, the best first."""
    times = "replication" if found.replications == 1 else "replications"
    lines = [
        f"## {found.scenario}: {found.path}",
        "",
        f"{found.replications} {times} of each value with the same traffic; goodput of all "
        "streams, latency and loss of the worst.",
        "",
        "| " + " | ".join(RANKING_HEAD) + " |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|---|",
        *("| " + " | ".join(cells) + " |" for cells in ranking_rows(found)),
    ]
    return "\n".join(lines) + "\n"


def ranking_rows(found: Ranking) -> Iterator[Sequence[str]]:
    """The cells of each row as text."""
    for row in found.table.to_dict("records"):
        cost_usd = row["monthly_cost_usd"]
        tunnels = row["tunnels"]
        yield (
            str(row["rank"]),
            _cell(str(row["value"])),
            str(row["status"]),
            _known(row["goodput_bps"], RATE),
            _known(row["latency_s_p95"], DURATION),
            _known(row["loss_ratio"], RATIO),
            _known(row["headroom_ratio"], RATIO),
            "-" if tunnels is None or math.isnan(tunnels) else f"{tunnels:.0f}",
            UNKNOWN if math.isnan(cost_usd) else f"{cost_usd:,.2f}",
            _cell(str(row["reason"])),
        )


def _known(value: float, dimension: Dimension) -> str:
    return "-" if math.isnan(value) else shown_value(value, dimension)
