"""The Gantt figure of a deployment: a bar for each step, those that decide the time in colour."""

from __future__ import annotations

from typing import Final

from matplotlib.axes import Axes

from simulator.planner.deploy import DeployPlan, Step, span
from simulator.plots import COLOURS, FAINT, INK, OTHERS, new_axes, style, title

ROW_IN: Final = 0.27
"""Height of a bar's row, in inches."""
HEAD_IN: Final = 1.1
SMALL: Final = 7.5
"""Size of text beside bars, in points."""
ROWS_MAX: Final = 30
"""More steps than this are not drawn one by one: alike ones share a row."""
KEY: Final = "orange: decides the time; blue: platform and provider; grey: customer; ~ estimate"
LABEL_CHARACTERS: Final = 44
LINEAR_MAX: Final = 20.0
"""Above the square of this ratio of the longest time to the median the scale is logarithmic."""
TICKS_S: Final = (0, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 90 * 86_400)


def gantt(plan: DeployPlan) -> Axes:
    """Draw each step from its start to its end, the first at the top."""
    rows = _rows(plan)
    with style():
        ax = new_axes(height_in=HEAD_IN + ROW_IN * max(1, len(rows)))
        is_long = _is_long(plan)
        for row, (_, step) in enumerate(rows):
            is_critical = step.name in plan.critical
            colour = (
                COLOURS[1] if is_critical else (OTHERS if step.by == "customer" else COLOURS[5])
            )
            ax.barh(
                row,
                step.duration_s,
                left=step.start_s,
                height=0.62,
                color=colour,
                edgecolor=colour,
                linewidth=1.0,
            )
            mark = "~" if step.status == "estimate" else ""
            text = f" {mark}{span(step.duration_s)}"
            ax.text(step.end_s, row, text, color=INK, fontsize=SMALL, va="center")
        ax.set_yticks(range(len(rows)), [shorten(label) for label, _ in rows], fontsize=SMALL)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.grid(visible=False, axis="y")
        _scale(ax, plan.total_s, is_long=is_long)
        title(ax, _message(plan))
    return ax


def _rows(plan: DeployPlan) -> list[tuple[str, Step]]:
    """Label and step of each row; in large designs alike steps share one."""
    if len(plan.steps) <= ROWS_MAX:
        return [(step.name, step) for step in plan.steps]
    alike: dict[tuple[str, float, bool], list[Step]] = {}
    for step in plan.steps:
        key = (step.kind, step.start_s, step.name in plan.critical)
        alike.setdefault(key, []).append(step)
    groups = list(alike.values())[:ROWS_MAX]
    return [(g[0].name if len(g) == 1 else f"{len(g)} x {g[0].kind}", g[0]) for g in groups]


def shorten(label: str) -> str:
    """A label of at most `LABEL_CHARACTERS`, and a margin: wide letters need more when saved."""
    cut = label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 3]}..."
    return f"    {cut}"


def _is_long(plan: DeployPlan) -> bool:
    """Whether one time hides all others on a linear scale."""
    lengths = sorted(step.duration_s for step in plan.steps)
    return len(lengths) > 1 and lengths[-1] > LINEAR_MAX**2 * lengths[len(lengths) // 2]


def _scale(ax: Axes, total_s: float, *, is_long: bool) -> None:
    if is_long:
        ax.set_xscale("symlog", linthresh=TICKS_S[1])
        ticks = [tick for tick in TICKS_S if tick <= total_s * 1.5]
        ax.set_xlim(0, total_s * 4)
    else:
        step_s = next(
            (s for s in (60, 300, 600, 1800, 3600, 6 * 3600, 86_400) if total_s / s <= 8),
            7 * 86_400,
        )
        ticks = [n * step_s for n in range(int(total_s / step_s) + 2)]
        ax.set_xlim(0, total_s * 1.15 if total_s else 1)
    ax.set_xticks(ticks, [span(tick) if tick else "0" for tick in ticks])
    ax.minorticks_off()
    scale = " (logarithmic above 1 min)" if is_long else ""
    ax.set_xlabel(f"time since the start{scale}\n{KEY}", fontsize=SMALL + 1, color=FAINT)


def _message(plan: DeployPlan) -> str:
    if not plan.steps:
        return "Nothing is to be deployed"
    longest = max((s for s in plan.steps if s.name in plan.critical), key=lambda s: s.duration_s)
    return (
        f"Deployed after {span(plan.total_s)}: {longest.name} alone takes "
        f"{span(longest.duration_s)}"
    )
