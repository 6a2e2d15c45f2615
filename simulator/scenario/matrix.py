"""Entries of `traffic` with `rates_from: FILE`: one stream for each pair of places in the table.

An entry takes the rows of its class: those that bear its name, or all rows of a table without
classes. What it says, kind and packet sizes, holds for each of its streams.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from simulator.base.errors import Problem, did_you_mean, quote
from simulator.base.units import DURATION, RATE, SIZE, exact_text
from simulator.scenario.rate_files import KEY
from simulator.scenario.rate_tables import RateTable, Series
from simulator.scenario.source import NODES_MAX, Source, TreePath

KINDS: Final = ("poisson", "constant", "transfers")
"""Kinds of traffic that a rate describes."""
SAID_BY_TABLE: Final = ("from", "to", "rate", "reply_rate", "users", "think", "profile")
STEPS_OF_ENTRY: Final = ("begin", "repeat")


def expand(tree: Source) -> Source:
    """A tree in which each entry that names a table of rates is a stream for each pair of places.

    Streams are named NAME-SRC-DST. The tree comes back as it is where no table is named.
    """
    traffic = tree.data.get("traffic")
    named = {
        name: entry
        for name, entry in (traffic.items() if isinstance(traffic, dict) else ())
        if isinstance(entry, dict) and KEY in entry
    }
    if not named:
        return tree
    result = copy.copy(tree)
    result.data = dict(tree.data)
    result.marks, result.copies = dict(tree.marks), dict(tree.copies)
    result.problems = list(tree.problems)
    result.problems += _left_over(tree, named)
    streams: dict[str, Any] = {}
    for name, entry in traffic.items():
        if name not in named:
            streams[name] = entry
            continue
        table = tree.rate_tables.get((name, str(entry[KEY])))
        found = list(_wrong(tree, name, entry, table))
        result.problems += found
        if found or table is None:
            continue
        for series in _of_entry(name, table):
            _add(result, streams, traffic, name, entry, table, series)
    if sum(map(_size, streams.values())) > NODES_MAX:
        path: TreePath = ("traffic", next(iter(named)), KEY)
        rule = f"the streams of all tables have more than {NODES_MAX} times and rates"
        result.problems.append(tree.problem(path, rule, "take longer steps, or fewer pairs"))
        streams = {name: entry for name, entry in traffic.items() if name not in named}
    result.data["traffic"] = streams
    return result


def _size(entry: Any) -> int:
    steps = entry.get("steps") if isinstance(entry, dict) else None
    return 2 * len(steps["factors"]) if isinstance(steps, dict) and "factors" in steps else 0


def _of_entry(name: str, table: RateTable) -> Iterator[Series]:
    """The series that an entry takes."""
    for series in table.series:
        if series.class_name == name or not table.has_classes:
            yield series


def _wrong(
    tree: Source, name: str, entry: Mapping[str, Any], table: RateTable | None
) -> Iterator[Problem]:
    """What is wrong with an entry itself; its other fields are checked with its streams."""
    path: TreePath = ("traffic", name)
    if (name, str(entry[KEY])) not in tree.rate_tables:
        yield tree.problem((*path, KEY), "a table of rates is named in a file", "write it there")
    if "kind" not in entry:
        rule = "a required field is missing"
        yield tree.problem((*path, "kind"), rule, f"add kind: one of {', '.join(KINDS)}", key=True)
    elif entry["kind"] not in KINDS:
        fix = f"write one of {', '.join(KINDS)}"
        yield tree.problem((*path, "kind"), "no rate of a table describes this kind", fix)
    for field in SAID_BY_TABLE:
        if field in entry:
            rule = "the table says who sends how much to whom and when"
            yield tree.problem((*path, field), rule, f"remove {field}", key=True)
    if entry.get("direction", "forward") != "forward":
        rule = "what the table counts goes from src to dst"
        yield tree.problem((*path, "direction"), rule, "remove it")
    steps = entry.get("steps", {})
    for field in steps if isinstance(steps, dict) else ():
        if field not in STEPS_OF_ENTRY:
            fix = f"give {' or '.join(STEPS_OF_ENTRY)} only"
            yield tree.problem((*path, "steps", field), "the table has the steps", fix, key=True)
    if table is not None and not any(_of_entry(name, table)):
        classes = sorted({series.class_name for series in table.series})
        rule = f"the table has no row of class '{name}'"
        yield tree.problem(path, rule, did_you_mean(name, classes), key=True)


def _left_over(tree: Source, named: Mapping[str, Any]) -> Iterator[Problem]:
    """Classes of a table that no entry takes, and tables without classes that several take."""
    users: dict[str, list[tuple[str, RateTable]]] = {}
    for name, entry in named.items():
        table = tree.rate_tables.get((name, str(entry[KEY])))
        if table is not None:
            users.setdefault(table.file, []).append((name, table))
    for entries in users.values():
        names, table = [name for name, _ in entries], entries[0][1]
        if not table.has_classes:
            for name in names[1:]:
                rule = f"'{names[0]}' has all rows of this table already, which names no classes"
                fix = "add a column class, or remove one of the entries"
                yield tree.problem(("traffic", name, KEY), rule, fix)
            continue
        said: set[str] = set()
        for series in table.series:
            if series.class_name in names or series.class_name in said:
                continue
            said.add(series.class_name)
            mark = series.marks["class"]
            rule = "no entry of traffic bears this name and this table"
            fix = did_you_mean(series.class_name, names)
            path = f"{KEY}.class"
            value = quote(series.class_name)
            yield Problem(mark.file, mark.line, mark.col, path, value, rule, fix)


def _add(
    tree: Source,
    streams: dict[str, Any],
    traffic: Mapping[str, Any],
    entry_name: str,
    entry: Mapping[str, Any],
    table: RateTable,
    series: Series,
) -> None:
    """Add the stream of a series, if it ever sends, and the places of its values."""
    peak_bps = max(series.rates_bps)
    if peak_bps == 0.0:
        return
    name = f"{entry_name}-{series.src}-{series.dst}".replace(".", "-")
    if name in traffic or name in streams:
        mark = series.marks["src"]
        rule = f"the stream of these places has the name '{name}', which another has"
        tree.problems.append(
            Problem(mark.file, mark.line, mark.col, KEY, quote(name), rule, "rename one of them")
        )
        return
    stream = _stream(entry, table, series, peak_bps)
    streams[name] = stream
    path: TreePath = ("traffic", name)
    tree.copies[path] = ("traffic", entry_name)
    for field, column in (
        ("from", "src"),
        ("to", "dst"),
        ("rate", "rate"),
        ("steps", "time"),
        ("packet_size", "packet"),
        ("flows", "flows"),
    ):
        if column in series.marks and (field in stream):
            tree.marks[*path, field] = tree.keys[*path, field] = series.marks[column]


def _stream(
    entry: Mapping[str, Any], table: RateTable, series: Series, peak_bps: float
) -> dict[str, Any]:
    """The stream of a series as an entry would write it: its largest rate, and steps below it."""
    steps: dict[str, Any] = {
        "at": [exact_text(time_s, DURATION) for time_s in table.times_s],
        "factors": [rate_bps / peak_bps for rate_bps in series.rates_bps],
    }
    if table.end_s is not None:
        steps["end"] = exact_text(table.end_s, DURATION)
    own = entry.get("steps")
    stream = {key: value for key, value in entry.items() if key != KEY}
    stream |= {
        "from": series.src,
        "to": series.dst,
        "rate": exact_text(peak_bps, RATE),
        "steps": steps | (own if isinstance(own, dict) else {}),
    }
    if entry["kind"] == "transfers":
        stream["direction"] = "forward"
    if series.packet_bytes is not None:
        stream["packet_size"] = exact_text(series.packet_bytes, SIZE)
    if series.flows is not None:
        stream["flows"] = series.flows
    return stream
