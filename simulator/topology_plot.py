"""The topology of a design as a figure: who is joined to whom, by what, and what stands by.

The customer's side is on the left, the platform's on the right. Boxes of a column stand below each
other in an order that keeps edges short; every edge ends at the row of a box (a device, a gateway
instance, a link of a circuit). The same sketch gives the same figure, to the bit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from simulator.plots import COLOURS, FAINT, INK, new_axes, style
from simulator.sketch import Box, BoxKind, Column, Edge, EdgeKind, Sketch

EDGE_COLOUR: Final[Mapping[EdgeKind, str]] = {
    "ipsec": COLOURS[0],
    "expressroute": COLOURS[1],
    "peering": COLOURS[2],
    "p2s": COLOURS[3],
    "exit": COLOURS[4],
    "other": COLOURS[5],
    "inside": "#9A9A9A",
}
EDGE_TEXT: Final[Mapping[EdgeKind, str]] = {
    "ipsec": "IPsec tunnel",
    "expressroute": "ExpressRoute",
    "peering": "peering",
    "p2s": "point-to-site",
    "exit": "exit to the internet",
    "other": "other link",
}
BOX_COLOUR: Final[Mapping[BoxKind, str]] = {
    "site": "#F3F6FA",
    "clients": "#F9F2F7",
    "circuit": "#FCF1EA",
    "gateway": "#EEF6F2",
    "vnet": "#F5F5F5",
    "endpoint": "#F5F5F5",
    "internet": "#FDF6E6",
    "other": "#F5F5F5",
}

#: Begins the name of a place between circuits where a tunnel passes; no box has such a name.
LANE: Final = "lane "

#: All in inches.
ROW_IN: Final = 0.21
TITLE_IN: Final = 0.26
NOTE_IN: Final = 0.18
PAD_IN: Final = 0.07
BETWEEN_IN: Final = 0.24
MARGIN_IN: Final = 0.2
HEAD_IN: Final = 0.05
FOOT_IN: Final = 0.4
NARROW_GAP_IN: Final = 0.7
"""Between columns that only the inside of a VNet joins."""
LABEL_IN: Final = 0.16
CHARACTER_IN: Final = 0.073
"""Width of a character of small text, about."""
STACK_IN: Final = 0.05
"""Offset of the boxes behind one that stands for several."""
SWEEPS: Final = 4
"""How often the order of each column is settled by that of its neighbours."""
BEND_IN: Final = 1.2
"""How far from its end an edge is level."""
BULGE_IN: Final = 0.55
"""How far an edge between two boxes of a column leaves it."""


@dataclass
class _Placed:
    """A box with its place, and the height at which edges end at each of its rows."""

    box: Box
    left: float
    top: float
    width: float
    height: float

    def row_y(self, name: str) -> float:
        """Height of the row of this name, else of the title."""
        for number, row in enumerate(self.box.rows):
            if row.name == name:
                below = TITLE_IN + (NOTE_IN if self.box.note else 0.0)
                return self.top - below - (number + 0.5) * ROW_IN
        return self.top - self.height / 2 if not self.box.rows else self.top - TITLE_IN / 2


def topology(sketch: Sketch, title: str) -> Axes:
    """Draw a sketch.

    Parameters
    ----------
    sketch
        Boxes and edges, joined where they are alike (`Sketch.finished`).
    title
        What is shown.
    """
    owner = {row.name: box.name for box in sketch.boxes.values() for row in box.rows}
    owner |= {name: name for name in sketch.boxes}
    edges = [edge for edge in sketch.edges if edge.a in owner and edge.b in owner]
    columns = _ordered(sketch, edges, owner)
    placed, width, height = _placed(columns, edges, owner)
    lanes = {one.box.name: one for one in placed.values() if one.box.name.startswith(LANE)}
    boxes = {name: one for name, one in placed.items() if name not in lanes}
    with style():
        axes = new_axes(width, height)
        axes.set_xlim(0, width)
        axes.set_ylim(0, height)
        axes.axis("off")
        axes.grid(visible=False)
        courses = {edge: _course(edge, boxes, lanes, owner) for edge in _bundled(edges)}
        for edge, course in courses.items():
            _draw_edge(axes, edge, course)
        _draw_labels(axes, edges, courses, boxes, owner)
        for one in boxes.values():
            _draw_box(axes, one)
        axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold")
        _draw_legend(axes, edges, sketch)
    return axes


# ---- layout ----------------------------------------------------------------------------------


def _ordered(
    sketch: Sketch, edges: Sequence[Edge], owner: Mapping[str, str]
) -> dict[Column, list[Box]]:
    """The boxes of each column, each near the mean height of those that it is joined to."""
    columns: dict[Column, list[Box]] = {
        column: [box for box in sketch.boxes.values() if box.column is column] for column in Column
    }
    columns = {column: boxes for column, boxes in columns.items() if boxes}
    if Column.CIRCUIT in columns:
        columns[Column.CIRCUIT] += _lanes(columns, edges, owner)
    joined: dict[str, list[str]] = defaultdict(list)
    in_lane = {box.name for box in columns.get(Column.CIRCUIT, ())}
    for edge in edges:
        a, b = owner[edge.a], owner[edge.b]
        lane = _lane(edge, owner)
        for one, other in ((a, lane), (lane, b)) if lane in in_lane else ((a, b),):
            joined[one].append(other)
            joined[other].append(one)
    for sweep in range(SWEEPS):
        listed = list(columns) if sweep % 2 else list(columns)[::-1]
        for column in listed:
            height = {
                box.name: (n + 0.5) / len(boxes)
                for boxes in columns.values()
                for n, box in enumerate(boxes)
            }

            def mean(box: Box, height: Mapping[str, float] = height) -> float:
                others = [height[name] for name in joined[box.name]]
                return sum(others) / len(others) if others else height[box.name]

            columns[column] = sorted(columns[column], key=mean)
    return columns


def _lane(edge: Edge, owner: Mapping[str, str]) -> str:
    return f"{LANE}{owner[edge.a]} {owner[edge.b]}"


def _lanes(
    columns: Mapping[Column, Sequence[Box]], edges: Sequence[Edge], owner: Mapping[str, str]
) -> list[Box]:
    """Room between the circuits for what passes them by."""
    customers, gateways = (
        {box.name for box in columns.get(column, ())}
        for column in (Column.CUSTOMER, Column.GATEWAY)
    )
    passing = {
        _lane(edge, owner): None
        for edge in edges
        if owner[edge.a] in customers and owner[edge.b] in gateways
    }
    return [Box(name, "", "circuit", Column.CIRCUIT) for name in passing]


def _placed(
    columns: Mapping[Column, Sequence[Box]], edges: Sequence[Edge], owner: Mapping[str, str]
) -> tuple[dict[str, _Placed], float, float]:
    """Every box with its place; width and height of the whole."""
    tall = {column: sum(map(_height, boxes)) for column, boxes in columns.items()}
    tall = {c: h + BETWEEN_IN * (len(columns[c]) - 1) for c, h in tall.items()}
    inner = max(tall.values())
    height = inner + HEAD_IN + FOOT_IN + 2 * MARGIN_IN
    placed: dict[str, _Placed] = {}
    left = MARGIN_IN + _room_left(columns, edges, owner)
    last: Column | None = None
    for column, boxes in columns.items():
        if last is not None:
            left += _gap(last, column, edges, owner, columns)
        width = max(map(_width, boxes))
        spare = (inner - tall[column]) / len(boxes)
        top = height - HEAD_IN - MARGIN_IN - spare / 2
        for box in boxes:
            placed[box.name] = _Placed(box, left, top, width, _height(box))
            top -= _height(box) + BETWEEN_IN + spare
        left += width
        last = column
    return placed, left + MARGIN_IN + _room_right(columns, edges, owner), height


def _height(box: Box) -> float:
    if box.name.startswith(LANE):
        return LABEL_IN
    note = NOTE_IN if box.note else 0.0
    return TITLE_IN + note + ROW_IN * len(box.rows) + PAD_IN


def _width(box: Box) -> float:
    words = [box.title, box.note, *(f"  {row.text}" for row in box.rows)]
    return max(1.2, CHARACTER_IN * max(map(len, words)) + 3 * PAD_IN)


def _gap(
    first: Column,
    second: Column,
    edges: Sequence[Edge],
    owner: Mapping[str, str],
    columns: Mapping[Column, Sequence[Box]],
) -> float:
    """Room between two columns: for the longest label of an edge that crosses it."""
    column_of = {box.name: column for column, boxes in columns.items() for box in boxes}
    label = ""
    counts = _counts(edges, owner)
    for edge in edges:
        ends = sorted((column_of[owner[edge.a]], column_of[owner[edge.b]]))
        # Within a column tunnels bulge to the left and peerings to the right.
        beside = second if edge.kind == "ipsec" else first
        if (ends[0] <= first and second <= ends[1]) or ends[0] == ends[1] == beside:
            label = max(label, _label(edge, counts[owner[edge.a], edge.label]), key=len)
    return max(NARROW_GAP_IN, CHARACTER_IN * len(label) + 2 * BULGE_IN) if label else NARROW_GAP_IN


def _room_left(
    columns: Mapping[Column, Sequence[Box]], edges: Sequence[Edge], owner: Mapping[str, str]
) -> float:
    """Room for edges between two gateways where no column is left of them."""
    first = next(iter(columns))
    return _room(first, columns[first], edges, owner) if first is Column.GATEWAY else 0.0


def _room_right(
    columns: Mapping[Column, Sequence[Box]], edges: Sequence[Edge], owner: Mapping[str, str]
) -> float:
    """The same for peerings within the last column."""
    last = list(columns)[-1]
    return _room(last, columns[last], edges, owner) if last is not Column.GATEWAY else 0.0


def _room(
    column: Column, boxes: Sequence[Box], edges: Sequence[Edge], owner: Mapping[str, str]
) -> float:
    names = {box.name for box in boxes}
    labels = [e.label for e in edges if {owner[e.a], owner[e.b]} <= names]
    return BULGE_IN + CHARACTER_IN * max(map(len, labels)) if labels else 0.0


# ---- edges -----------------------------------------------------------------------------------


def _label(edge: Edge, count: int) -> str:
    """The words at edges that leave one box; those of several boxes leave out the name."""
    name, colon, rest = edge.label.partition(": ")
    if count == 1 or not (colon or edge.count > 1):
        return edge.label
    many = f"{count} x {rest or name}"
    return many if edge.count > 1 else f"{name}: {many}"


def _counts(edges: Sequence[Edge], owner: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """How many tunnels, say, a label stands for: by box on the left and label."""
    counts: Counter[tuple[str, str]] = Counter()
    for edge in edges:
        counts[(owner[edge.a], edge.label)] += edge.count
    return counts


def _bundled(edges: Sequence[Edge]) -> list[Edge]:
    """Edges that lie on one another once."""
    return list({(edge.a, edge.b, edge.kind, edge.is_standby): edge for edge in edges}.values())


def _course(
    edge: Edge,
    boxes: Mapping[str, _Placed],
    lanes: Mapping[str, _Placed],
    owner: Mapping[str, str],
) -> list[tuple[float, float]]:
    """Points of one or two cubic curves: out of a row sideways, and into another."""
    a, b = boxes[owner[edge.a]], boxes[owner[edge.b]]
    y_a, y_b = a.row_y(edge.a), b.row_y(edge.b)
    if a.left == b.left:
        is_left = edge.kind == "ipsec"
        x = a.left if is_left else a.left + a.width
        out = x - BULGE_IN * 4 / 3 if is_left else x + BULGE_IN * 4 / 3
        return [(x, y_a), (out, y_a), (out, y_b), (x, y_b)]
    if a.left > b.left:
        a, b, y_a, y_b = b, a, y_b, y_a
    start, end = (a.left + a.width, y_a), (b.left, y_b)
    lane = lanes.get(_lane(edge, owner))
    if lane is None:
        return _curve(start, end)
    middle = (lane.left + lane.width / 2, lane.top - lane.height / 2)
    return [*_curve(start, middle), *_curve(middle, end)[1:]]


def _curve(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    bend = min(0.5 * (end[0] - start[0]), BEND_IN)
    return [start, (start[0] + bend, start[1]), (end[0] - bend, end[1]), end]


def _draw_edge(axes: Axes, edge: Edge, course: Sequence[tuple[float, float]]) -> None:
    codes = [Path.MOVETO, *[Path.CURVE4] * (len(course) - 1)]
    axes.add_patch(
        PathPatch(
            Path(course, codes),
            facecolor="none",
            edgecolor=EDGE_COLOUR[edge.kind],
            linewidth=2.2 if edge.kind == "expressroute" else 1.3,
            linestyle=(0, (4, 3)) if edge.is_standby else "solid",
            zorder=1,
        )
    )


def _draw_labels(
    axes: Axes,
    edges: Sequence[Edge],
    courses: Mapping[Edge, Sequence[tuple[float, float]]],
    boxes: Mapping[str, _Placed],
    owner: Mapping[str, str],
) -> None:
    """One label for all edges of a connection that leave one row or box, none over another."""
    spots: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    first: dict[tuple[str, str], Edge] = {}
    for edge in edges:
        if edge.label and edge in courses:
            key = (owner[edge.a], edge.label)
            spots[key].append(_middle(courses[edge]))
            first.setdefault(key, edge)
    means = {key: _label_place(at) for key, at in spots.items()}
    counts = _counts(edges, owner)
    taken: list[tuple[float, float, float]] = []
    for key, (middle, y) in sorted(means.items(), key=lambda i: (-i[1][1], i[1][0], i[0])):
        edge, words = first[key], _label(first[key], counts[key])
        half = CHARACTER_IN * len(words) / 2
        x = middle
        if boxes[owner[edge.a]].left == boxes[owner[edge.b]].left:
            x += half * (-0.8 if edge.kind == "ipsec" else 0.8)
        while any(
            abs(x - other_x) < half + other_half and abs(y - other_y) < LABEL_IN
            for other_x, other_y, other_half in taken
        ):
            y -= LABEL_IN / 4
        taken.append((x, y, half))
        axes.text(
            x,
            y,
            words,
            color=EDGE_COLOUR[edge.kind],
            fontsize=7.5,
            ha="center",
            va="center",
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
        )


def _label_place(middles: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Amid the edges of a label; above them where they are too close to have it between them."""
    heights = [y for _, y in middles]
    x = sum(x for x, _ in middles) / len(middles)
    if 0.0 < max(heights) - min(heights) < 2 * LABEL_IN:
        return x, max(heights) + LABEL_IN
    return x, sum(heights) / len(heights)


def _middle(course: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The point of a cubic curve halfway; of two curves that where they meet."""
    if len(course) > 4:
        return course[3]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = course
    return (x0 + 3 * x1 + 3 * x2 + x3) / 8, (y0 + 3 * y1 + 3 * y2 + y3) / 8


# ---- boxes and legend ------------------------------------------------------------------------


def _draw_box(axes: Axes, one: _Placed) -> None:
    box = one.box
    bottom = one.top - one.height
    for behind in (2, 1, 0) if box.count > 1 else (0,):
        axes.add_patch(
            FancyBboxPatch(
                (one.left + behind * STACK_IN, bottom - behind * STACK_IN),
                one.width,
                one.height,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=BOX_COLOUR[box.kind],
                edgecolor=FAINT,
                linewidth=0.8,
                zorder=4 if behind == 0 else 3.5 - behind / 10,
            )
        )
    x = one.left + PAD_IN
    y = one.top - TITLE_IN / 2
    axes.text(x, y, box.title, fontsize=9, fontweight="bold", color=INK, va="center", zorder=5)
    if box.note:
        y = one.top - TITLE_IN - NOTE_IN / 2 + 0.03
        axes.text(x, y, box.note, fontsize=7.5, color=FAINT, va="center", zorder=5)
    for row in box.rows:
        y = one.row_y(row.name)
        axes.add_patch(
            FancyBboxPatch(
                (one.left + PAD_IN, y - ROW_IN / 2 + 0.02),
                one.width - 2 * PAD_IN,
                ROW_IN - 0.04,
                boxstyle="round,pad=0,rounding_size=0.03",
                facecolor="white",
                edgecolor=FAINT,
                linewidth=0.6,
                linestyle=(0, (3, 2)) if row.is_standby else "solid",
                zorder=4.5,
            )
        )
        colour = FAINT if row.is_standby else INK
        axes.text(x + PAD_IN, y, row.text, fontsize=7.5, color=colour, va="center", zorder=5)


def _draw_legend(axes: Axes, edges: Sequence[Edge], sketch: Sketch) -> None:
    used = {edge.kind for edge in edges}
    lines = [
        Line2D([], [], color=EDGE_COLOUR[kind], linewidth=1.8, label=text)
        for kind, text in EDGE_TEXT.items()
        if kind in used
    ]
    stands_by = any(edge.is_standby for edge in edges) or any(
        row.is_standby for box in sketch.boxes.values() for row in box.rows
    )
    if stands_by:
        dashes = (0, (4, 3))
        lines.append(Line2D([], [], color=FAINT, linestyle=dashes, label="dashed: stands by"))
    if lines:
        axes.legend(
            handles=lines,
            loc="lower left",
            bbox_to_anchor=(0.0, 0.0),
            ncols=len(lines),
            frameon=False,
            fontsize=8,
        )
