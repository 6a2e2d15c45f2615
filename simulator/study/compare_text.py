"""Comparisons and rankings as Markdown, for a pull request; a terminal reads it as well."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from simulator.base.markup import html_table
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
from simulator.study.paired import BETTER, IDENTICAL, NO_EVIDENCE, WORSE
from simulator.study.threshold import Threshold, dimension_of

if TYPE_CHECKING:
    from simulator.study.axis import Ranking
    from simulator.study.compare import Comparison

DIGITS: Final = 3
INPUTS_MAX: Final = 30
INPUT_WIDTH: Final = 160
ROWS_MAX: Final = 40
"""Rows without evidence that are shown; those with a verdict all are."""
UNKNOWN: Final = "unknown"
ORDER: Final = (WORSE, BETTER, NO_EVIDENCE)
FIGURES_HEAD: Final = ("stream", "figure", "difference", "interval", "verdict")


def markdown(found: Comparison, thresholds: Sequence[Threshold] = ()) -> str:
    """Verdict, inputs that differ, the figures with their intervals, and what is past a limit."""
    lines = [f"## {_cell(_against(found))}", "", _method(found)]
    for name in found.names[1:]:
        lines += ["", f"### {_cell(name)}: {found.verdict(name)}", "", _counts(found, name)]
        lines += _inputs(found, name)
        unlike = found.unlike_traffic(name)
        if unlike:
            lines += ["", _unlike(unlike)]
        lines += ["", *_figures(found, name)]
    if thresholds:
        lines += ["", "### Threshold", "", *_past(found, thresholds)]
    return "\n".join(lines) + "\n"


def _against(found: Comparison) -> str:
    return f"{found.names[0]} against {', '.join(found.names[1:])}"


def _method(found: Comparison) -> str:
    traffic = (
        "each design with random numbers of its own"
        if found.seed is None
        else f"the same random numbers in every design (seed {found.seed})"
    )
    return (
        f"{found.replications} replications, {traffic}; the intervals of all "
        f"{len(found.table)} figures hold together with {100 * found.confidence:g} % confidence."
    )


def _counts(found: Comparison, name: str) -> str:
    """How many figures say what, and what a month costs."""
    rows = found.table[found.table["design"] == name]
    of_streams = rows[rows["figure"] != COST]["verdict"].value_counts()
    texts = [f"{of_streams.get(verdict, 0)} {verdict}" for verdict in (*ORDER, IDENTICAL)]
    costs = [
        f"; cost of a month: {_difference(row) if row['difference'] else 'the same'}"
        for row in rows[rows["figure"] == COST].to_dict("records")
    ]
    return f"Figures of streams: {', '.join(texts)}{''.join(costs)}."


def _unlike(streams: Sequence[str]) -> str:
    return (
        f"Not packet for packet the same: {', '.join(streams)}. They take another number of equal "
        "ways, start at another time, or fit other packets; their rates are the same."
    )


def _inputs(found: Comparison, name: str) -> Iterator[str]:
    inputs = found.differences[name]
    yield ""
    if not inputs:
        yield "No input differs."
        return
    yield f"| input | {_cell(found.names[0])} | {_cell(name)} |"
    yield "|---|---|---|"
    for entry in inputs[:INPUTS_MAX]:
        yield f"| `{entry.path}` | {_input(entry.baseline)} | {_input(entry.other)} |"
    if len(inputs) > INPUTS_MAX:
        yield f"| ... and {len(inputs) - INPUTS_MAX} more, in `--json` | | |"


def _input(text: str) -> str:
    return _cell(text if len(text) <= INPUT_WIDTH else f"{text[: INPUT_WIDTH - 3]}...")


def _figures(found: Comparison, name: str) -> Iterator[str]:
    rows = found.table[found.table["design"] == name].to_dict("records")
    shown = [row for verdict in ORDER for row in rows if row["verdict"] == verdict]
    sure = sum(row["verdict"] != NO_EVIDENCE for row in shown)
    kept = shown[: sure + ROWS_MAX]
    yield f"| stream | figure | {_cell(found.names[0])} | {_cell(name)} | difference | interval | |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for row in kept:
        yield "| " + " | ".join(_figure_cells({str(k): v for k, v in row.items()})) + " |"
    for count, verdict in (
        (len(shown) - len(kept), NO_EVIDENCE),
        (len(rows) - len(shown), IDENTICAL),
    ):
        if count:
            yield f"| {count} more figure{'s' if count > 1 else ''} | | | | | | {verdict} |"


def _figure_cells(row: dict[str, Any]) -> list[str]:
    dimension = dimension_of(row["figure"])
    verdict = row["verdict"]
    return [
        _cell(_where(row)),
        f"`{row['figure']}`",
        shown_value(row["baseline"], dimension),
        shown_value(row["other"], dimension),
        _difference(row),
        _interval(row),
        verdict if verdict == NO_EVIDENCE else f"**{verdict}**",
    ]


def _where(row: dict[Any, Any]) -> str:
    return f"{row['stream']} {row['direction']}".strip() or "design"


def _difference(row: dict[Any, Any]) -> str:
    return f"{_signed(row['difference'], dimension_of(row['figure']))}{_share(row['ratio'])}"


def _interval(row: dict[Any, Any]) -> str:
    dimension = dimension_of(row["figure"])
    return f"{_signed(row['low'], dimension)} to {_signed(row['high'], dimension)}"


def _past(found: Comparison, thresholds: Sequence[Threshold]) -> Iterator[str]:
    """What is worse by more than is allowed."""
    rows = found.regressions(*thresholds).to_dict("records")
    limits = ", ".join(map(str, thresholds))
    if not rows:
        yield f"No figure is worse, on evidence, by more than {limits}."
        return
    yield f"Worse, on evidence, by more than {limits}:"
    yield ""
    for row in rows:
        yield f"- {_cell(row['design'])}: {_cell(_where(row))} `{row['figure']}` {_difference(row)}"


def html(found: Comparison) -> str:
    """The comparison for a notebook: each design as an option, then what differs on evidence."""
    rows = found.table[found.table["verdict"].isin([WORSE, BETTER])].to_dict("records")
    options = [
        (row["design"], *(_option(row, name) for name in OPTION_HEAD), found.verdict(row["design"]))
        if row["design"] != found.names[0]
        else (row["design"], *(_option(row, name) for name in OPTION_HEAD), "baseline")
        for row in found.designs.to_dict("records")
    ]
    figures = [
        (
            f"{row['design']}: {_where(row)}",
            row["figure"],
            _difference(row),
            _interval(row),
            row["verdict"],
        )
        for row in rows
    ]
    return (
        f"<h4>{escape(_against(found))}</h4><p>{escape(_method(found))}</p>"
        f"{html_table(('design', *OPTION_HEAD.values(), 'verdict'), options)}"
        + (
            f"<h5>Better or worse, on evidence</h5>{html_table(FIGURES_HEAD, figures)}"
            if figures
            else ""
        )
    )


OPTION_HEAD: Final = {
    "goodput_bps": "goodput, all streams",
    "latency_s_p95": "p95 latency, worst",
    "loss_ratio": "loss, worst",
    "outage_s_max": "outage, longest",
    COST: "cost a month",
}


def _option(row: dict[Any, Any], name: str) -> str:
    return shown_value(row[name], dimension_of(name))


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
    digits = max(0, 1 - math.floor(math.log10(abs(100 * ratio))))
    return f" ({round(100 * ratio, digits):+,.{min(digits, 3)}f} %)"


def _cell(text: str) -> str:
    """A text that Markdown and HTML take as it is."""
    plain = text.replace("\n", " ").replace("\\", "\\\\")
    for sign, safe in (("|", "\\|"), ("*", "\\*"), ("`", "\\`"), ("<", "&lt;")):
        plain = plain.replace(sign, safe)
    return plain or "-"


# ---- rankings --------------------------------------------------------------------------------

RANKING_HEAD: Final = (
    "rank",
    "value",
    "verdict",
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
    lines = [
        f"## {_cell(found.scenario)}: {found.path}",
        "",
        _ranking_method(found),
        "",
        "| " + " | ".join(RANKING_HEAD) + " |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|---|",
        *("| " + " | ".join(map(_cell, cells)) + " |" for cells in ranking_rows(found)),
    ]
    return "\n".join(lines) + "\n"


def ranking_html(found: Ranking) -> str:
    """The ranking for a notebook."""
    table = html_table(RANKING_HEAD, list(ranking_rows(found)))
    head = f"<h4>{escape(found.scenario)}: {escape(found.path)}</h4>"
    return f"{head}<p>{escape(_ranking_method(found))}</p>{table}"


def _ranking_method(found: Ranking) -> str:
    goodput = "goodput of all streams, latency and loss of the worst"
    if found.replications == 1:
        return (
            f"One run of each value under the same random numbers, so without intervals; {goodput}."
        )
    return (
        f"{found.replications} replications of each value under the same random numbers; "
        f"{goodput}; means, +- half of the interval, each with {100 * found.confidence:g} % "
        "confidence by itself. Targets are judged by the worst replication."
    )


def ranking_rows(found: Ranking) -> Iterator[Sequence[str]]:
    """The cells of each row as text."""
    for row in found.table.to_dict("records"):
        tunnels = row["tunnels"]
        yield (
            str(row["rank"]),
            str(row["value"]),
            str(row["status"]),
            _known(row, "goodput_bps", RATE),
            _known(row, "latency_s_p95", DURATION),
            _known(row, "loss_ratio", RATIO),
            _known(row, "headroom_ratio", RATIO),
            "-" if tunnels is None or math.isnan(tunnels) else f"{tunnels:.0f}",
            _cost(row),
            str(row["reason"]),
        )


def _known(row: dict[Any, Any], name: str, dimension: Dimension) -> str:
    value, high = row[name], row.get(f"{name}_high", math.nan)
    if math.isnan(value):
        return "-"
    text = shown_value(value, dimension)
    return text if math.isnan(high) else f"{text} +- {shown_value(high - value, dimension)}"


def _cost(row: dict[Any, Any]) -> str:
    value, high = row[COST], row[f"{COST}_high"]
    if math.isnan(value):  # of what was not run there is no cost
        return "-" if math.isnan(row["goodput_bps"]) else UNKNOWN
    return f"{value:,.2f}" if math.isnan(high) else f"{value:,.2f} +- {high - value:,.2f}"
