"""Charts of a page: SVG in the page's own colours, which a script makes hoverable and zoomable.

The drawing stands on its own, so that it prints and works without a script; the data lie beside it
as JSON for the value at the cursor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = Sequence[float] | npt.NDArray[np.float64]

WIDTH: Final = 860
HEIGHT: Final = 300
LEFT: Final = 64
RIGHT: Final = 16
TOP: Final = 20
BOTTOM: Final = 40
POINTS_MAX: Final = 600
"""A line with more is thinned: neighbouring bins are shown as one."""
COLOURS: Final = 8
SHOWN_MAX: Final = 8
"""Lines that are drawn at first; the others wait in the legend."""
TICKS: Final = 6
LABEL_WIDTH: Final = 30
"""A mark closer than this to one with a number shares that number."""
HEAD_ROOM: Final = 1.05
"""What is free above the highest line, as a factor."""
DIGITS: Final = 4
X_DIGITS: Final = 9


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    y: Floats
    """NaN where there is no value."""
    colour: int = 0
    """Number of its colour: the same for one stream on every chart of a page."""
    is_dashed: bool = False


@dataclass(frozen=True)
class Mark:
    """An instant with what happened."""

    x: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Lines over one axis."""

    name: str
    message: str
    """One sentence with what the chart shows."""
    note: str
    """Units, n and interval."""
    x: Floats
    lines: Sequence[Line]
    x_label: str
    y_label: str
    marks: Sequence[Mark] = field(default=())
    lists_marks: bool = True
    """Whether what the marks mean is written below; one chart of a page is enough."""
    bin_width: float = 0.0
    """Width of the bins that begin at `x`, whose values are drawn as steps; 0 for points."""
    warm_up: float = 0.0
    """Up to where the drawing is shaded, because nothing there counts."""

    def html(self) -> str:
        """Return the figure with drawing, legend and data."""
        frame = _Frame(self)
        tip = element("div", class_="tip").replace(">", " hidden>", 1)
        texts = self.marks if self.lists_marks else ()
        listed = element("ol", "".join(element("li", escape(mark.text)) for mark in texts))
        said = element("summary", f"What the {len(texts)} marks mean")
        parts = (
            element("p", escape(self.message), class_="message"),
            element("div", frame.svg() + tip, class_="frame"),
            _legend(self),
            element("details", said + listed, class_="marks on-paper") if texts else "",
            element("figcaption", escape(self.note)),
            _data(frame),
        )
        return element("figure", "".join(parts), class_="chart", id=self.name)


def thinned(x: np.ndarray, y: np.ndarray, by_max: bool) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS_MAX points: the largest (or the mean) of each group of neighbours."""
    step = math.ceil(len(x) / POINTS_MAX)
    if step <= 1:
        return x, y
    pad = -len(x) % step
    groups = np.concatenate([y, np.full(pad, np.nan)]).reshape(-1, step)
    known = ~np.isnan(groups)
    filled = np.where(known, groups, -np.inf if by_max else 0.0)
    count = known.sum(axis=1)
    best = filled.max(axis=1) if by_max else filled.sum(axis=1) / np.maximum(count, 1)
    return x[::step], np.where(count > 0, best, np.nan)


def ticks(low: float, high: float) -> list[float]:
    """Round values from low to high, about TICKS of them."""
    span = max(high - low, 1e-12)
    rough = span / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((power * factor for factor in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / rough)))
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


class _Frame:
    """Where values of a chart lie in its drawing, and the drawing itself."""

    def __init__(self, chart: Chart) -> None:
        shown = [line.y for line in chart.lines[:SHOWN_MAX] if _is_known(line.y)]
        self.chart = chart
        self.y_high = max((float(np.nanmax(y)) for y in shown), default=1.0) * HEAD_ROOM or 1.0
        self.low, self.high = float(chart.x[0]), float(chart.x[-1]) + chart.bin_width
        self.wide, self.tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at_x(self, value: float) -> float:
        return LEFT + self.wide * (value - self.low) / ((self.high - self.low) or 1.0)

    def at_y(self, value: float) -> float:
        return TOP + self.tall * (1.0 - value / self.y_high)

    def svg(self) -> str:
        """Return grid, axes, marks and lines."""
        parts = [
            self._shade(),
            element("g", "".join(self._grid()), class_="y-ticks"),
            element("g", "".join(self._ticks()), class_="x-ticks"),
            *self._labels(),
            *self._marks(),
            *self._lines(),
        ]
        return element(
            "svg",
            "".join(parts),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=self.chart.message,
        )

    def _shade(self) -> str:
        if self.chart.warm_up <= self.low:
            return ""
        wide = min(self.at_x(self.chart.warm_up), WIDTH - RIGHT) - LEFT
        place = {"x": LEFT, "y": TOP, "width": f"{wide:.1f}", "height": self.tall}
        return element("rect", element("title", "warm-up"), class_="warm-up", **place)

    def _grid(self) -> Iterator[str]:
        for value in ticks(0.0, self.y_high):
            y = f"{self.at_y(value):.1f}"
            yield element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
            place = {"x": LEFT - 6, "y": f"{self.at_y(value) + 4:.1f}", "text_anchor": "end"}
            yield element("text", _number(value), **place)

    def _ticks(self) -> Iterator[str]:
        for value in ticks(self.low, self.high):
            place = {"x": f"{self.at_x(value):.1f}", "y": HEIGHT - BOTTOM + 16}
            yield element("text", _number(value), text_anchor="middle", **place)

    def _labels(self) -> Iterator[str]:
        middle = {"class_": "label", "text_anchor": "middle"}
        yield element(
            "text", escape(self.chart.x_label), x=LEFT + self.wide // 2, y=HEIGHT - 6, **middle
        )
        turned = f"translate(14 {TOP + self.tall // 2}) rotate(-90)"
        yield element("text", escape(self.chart.y_label), transform=turned, **middle)

    def _marks(self) -> Iterator[str]:
        places = [self.at_x(mark.x) for mark in self.chart.marks]
        labels = _mark_labels(places)
        for x, label, mark in zip(places, labels, self.chart.marks, strict=True):
            line = element("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=TOP, y2=HEIGHT - BOTTOM)
            text = element("text", label, x=f"{x:.1f}", y=TOP - 5, text_anchor="middle")
            yield element("g", line + text + element("title", escape(mark.text)), class_="mark")

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(self.chart.lines):
            names = ["line", f"s{line.colour % COLOURS}"]
            names += ["dashed"] * line.is_dashed + ["off"] * (number >= SHOWN_MAX)
            path = self._path(line.y)
            yield element("path", class_=" ".join(names), d=path)

    def _path(self, values: Floats) -> str:
        """Move and line commands, a step for each bin; a gap where there is no value."""
        commands = []
        pen = "M"
        ends = [*self.chart.x[1:], self.high]
        for begin, end, value in zip(self.chart.x, ends, values, strict=True):
            if math.isnan(value):
                pen = "M"
                continue
            y = f"{self.at_y(value):.1f}"
            commands.append(f"{pen}{self.at_x(begin):.1f} {y}")
            if self.chart.bin_width:
                commands.append(f"H{self.at_x(end):.1f}")
            pen = "L"
        return "".join(commands)


def element(name: str, content: str = "", **attributes: object) -> str:
    """Write an element; `content` is markup, attributes are text and get escaped."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{given}>{content}</{name}>"


def _legend(chart: Chart) -> str:
    keys = []
    for number, line in enumerate(chart.lines):
        swatch = element("i", class_="dashed" if line.is_dashed else "")
        keys.append(
            element(
                "button",
                swatch + escape(line.name),
                type="button",
                class_=f"key s{line.colour % COLOURS}",
                aria_pressed="true" if number < SHOWN_MAX else "false",
            )
        )
    return element("div", "".join(keys), class_="legend")


def _data(frame: _Frame) -> str:
    """What the script needs, as JSON that cannot end the element it stands in."""
    chart = frame.chart
    data = {
        "x": [_rounded(v, X_DIGITS) for v in chart.x],
        "binWidth": chart.bin_width,
        "warmUp": chart.warm_up,
        "series": [
            {
                "name": line.name,
                "colour": line.colour % COLOURS,
                "isDashed": line.is_dashed,
                "y": [_rounded(value) for value in line.y],
            }
            for line in chart.lines
        ],
        "marks": [{"x": mark.x, "text": mark.text} for mark in chart.marks],
        "xLabel": chart.x_label,
        "yLabel": chart.y_label,
        "frame": [LEFT, RIGHT, TOP, BOTTOM, WIDTH, HEIGHT],
        "headRoom": HEAD_ROOM,
        "labelWidth": LABEL_WIDTH,
        "ticks": TICKS,
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return element("script", text, type="application/json")


def _is_known(y: Floats) -> bool:
    return not bool(np.all(np.isnan(np.asarray(y, dtype=float))))


def _mark_labels(places: Sequence[float]) -> list[str]:
    """A number for each mark, `2-11` for the first of several that stand close together."""
    labels = [""] * len(places)
    first = 0
    for number, place in enumerate(places):
        if number == 0 or place - places[first] > LABEL_WIDTH:
            first = number
            labels[first] = str(number + 1)
        else:
            labels[first] = f"{first + 1}-{number + 1}"
    return labels


def _number(value: float) -> str:
    """A number at an axis: thousands apart, never with an exponent."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")


def _rounded(value: float, digits: int = DIGITS) -> float | None:
    return None if math.isnan(value) else float(f"{value:.{digits}g}")
