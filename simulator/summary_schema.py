"""The JSON Schema of `summary.json`, made from the dictionary of the tables it summarises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kernels import layout
from simulator import metrics
from simulator.metrics.accounting import REASON_TEXT
from simulator.metrics.metric import COUNT, TEXT, Column
from simulator.result import SCHEMA_VERSION

SCHEMA_FILE: Final = Path(__file__).parent / "schema" / f"summary-v{SCHEMA_VERSION}.json"
"""Where the checked-in copy lies."""

INTEGERS: Final = {"packets", "bytes", COUNT}
"""Units of columns that hold whole numbers, with the exceptions below."""
NOT_INTEGERS: Final = {"queue_bytes_max"}
OPTIONAL_INTEGERS: Final = {
    "cause_event_id",
    "flows",
    "retransmitted_segments",
    "fast_recovery_count",
    "rto_count",
    "transfers_started",
    "transfers_completed",
}
ALWAYS_KNOWN: Final = {"time_s", "outage_s_max", "started_s", "outage_s", "degraded_s"}


def summary_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `summary.json` and `crossprem run --json` hold."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"crossprem summary, version {SCHEMA_VERSION}",
        "description": "Headline figures of a run: SI units, named at the end of each key; null "
        "where a figure is not known. A direction without packets has no row.",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "scenario": _text("Short name of the scenario."),
                "title": _text("Its title."),
                "question": _text("What the simulation is to answer; empty if nobody said."),
                "scenario_hash": _text("SHA-256 of all its values, defaults included."),
                "seed": _whole("Seed of every random number."),
                "replicate": _whole("Which replication these figures are of, from 0."),
                "fidelity": {
                    "enum": ["packet", "flow"],
                    "description": "How traffic was simulated.",
                },
                "horizon_s": _number("Simulated time."),
                "warm_up_s": _number("Time at the start that rates and latencies leave out."),
                "time_bin_s": _number("Width of a time bin, the resolution of outages."),
                "streams": _array(_streams(), "One entry for each stream and direction."),
                "hops": _array(_hops(), "One entry for each hop and direction."),
                "events": _array(_events(), "What happened in the control plane, in order."),
                "failovers": _array(_failovers(), "What each fault did to each stream."),
                "targets": _array(_target(), "The scenario's targets and whether they were met."),
                "cost": _or_null(_cost()),
                "warnings": _array({"type": "string"}, "What the reader should know."),
                "performance": _performance(),
            },
            optional={"replications": _replications(), "windows": _windows()},
        ),
    }


def _windows() -> dict[str, Any]:
    row = _object(
        {
            "packets_from_s": _number("When packets began to move; not shown until `begin_s`."),
            "begin_s": _number("Start of the first time bin that is of packets."),
            "end_s": _number("End of the last one."),
        }
    )
    return _array(row, "Stretches at packet level; present if a flow-level run zooms in.")


def _streams() -> dict[str, Any]:
    columns = [c for c in metrics.columns("streams") if "_dropped" not in c.name]
    fields = {column.name: _value(column) for column in columns}
    for unit in ("packets", "bytes"):
        fields[f"{unit}_dropped"] = _reasons(f"{unit.capitalize()} dropped, by reason.")
    return _object(fields)


def _hops() -> dict[str, Any]:
    columns = [c for c in metrics.columns("hops") if "_dropped" not in c.name]
    drops = {"drops": _reasons("Packets dropped at this hop, by reason.")}
    return _object({column.name: _value(column) for column in columns} | drops)


def _events() -> dict[str, Any]:
    return _object({column.name: _value(column) for column in metrics.columns("events")})


def _failovers() -> dict[str, Any]:
    return _object({column.name: _value(column) for column in metrics.columns("failovers")})


def _target() -> dict[str, Any]:
    return _object(
        {
            "target": _text("Name of the field in the scenario's `targets`."),
            "limit": _number("What must not be exceeded, in SI units."),
            "value": _or_null(_number("The worst value of the run; null if it cannot tell.")),
            "subject": _text("Stream and direction of the worst value."),
            "is_met": _or_null({"type": "boolean", "description": "null if the run cannot tell"}),
        }
    )


def _cost() -> dict[str, Any]:
    usd = _or_null(_number("Null if a price is unknown."))
    line = _object(
        {
            "item": _text("What is billed."),
            "subject": _text("For which part of the design."),
            "quantity": _number("How much of it in a month."),
            "unit": _text("Unit of the quantity."),
            "rate_usd": usd,
            "amount_usd": usd,
            "source": _text("Where the rate comes from."),
            "is_estimate": {"type": "boolean", "description": "Whether the rate is an estimate."},
            "note": _text("How the quantity was counted."),
        }
    )
    fields = _object(
        {
            "total_usd": usd,
            "known_usd": _number("Sum of the lines whose price is known."),
            "month_s": _number("Length of a month on the bill."),
            "traffic_s": _number("How long in the month the traffic is that of the run."),
            "lines": _array(line, "Quantity x unit x rate."),
        }
    )
    return fields | {"description": "What the design costs in a month; null if nobody asked."}


def _performance() -> dict[str, Any]:
    fields = _object(
        {
            "packet_hops": _whole("Packets served by hops with a finite rate, data and ACKs."),
            "cpu_s": _number("CPU time of the engine, without compilation."),
            "cpu_total_s": _number("CPU time of planning, compiling and running."),
            "wall_s": _number("Time that passed meanwhile."),
            "peak_rss_bytes": _whole("Largest memory of the process so far."),
            "flow_events": _whole("Flow level: arrivals and completions of TCP flows."),
        }
    )
    return fields | {"description": "What the run cost: the only figures that vary."}


def _replications() -> dict[str, Any]:
    quantile = _or_null({"type": "number"})
    row = _object(
        {
            "stream": _text("Name of the stream."),
            "direction": _text("`forward` or `return`."),
            "metric": _text("Column of `streams`; its unit is in the name."),
            "median": quantile,
            "p5": quantile,
            "p95": quantile,
            "replications": _whole("How many replications know this figure."),
        }
    )
    of_fault = _object(
        {"fault": _text("Kind of the fault and what it struck.")} | row["properties"]
    )
    of_fault["properties"]["metric"] = _text(
        "Column of `failovers`; `..._after_s` counts from the fault."
    )
    fields = _object(
        {
            "wanted": _whole("How many were asked for."),
            "finished": _whole("How many there are."),
            "spread": _array(row, "Median and 5th to 95th percentile over the replications."),
            "failovers": _array(of_fault, "The same of what each fault did to each direction."),
        }
    )
    return fields | {"description": "Present if more than one replication was asked for."}


def _value(column: Column) -> dict[str, Any]:
    unit = f" Unit: {column.unit}." if column.unit not in {TEXT, COUNT} else ""
    text = column.text + unit
    if column.unit == TEXT:
        return _text(text)
    if column.unit in INTEGERS and column.name not in NOT_INTEGERS:
        return _or_null(_whole(text)) if column.name in OPTIONAL_INTEGERS else _whole(text)
    return _number(text) if column.name in ALWAYS_KNOWN else _or_null(_number(text))


def _reasons(text: str) -> dict[str, Any]:
    fields = {reason: _whole(REASON_TEXT[reason]) for reason in layout.REASONS}
    return _object(fields) | {"description": text}


def _object(fields: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": fields | (optional or {}),
        "required": list(fields),
        "additionalProperties": False,
    }


def _array(items: dict[str, Any], text: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "description": text}


def _text(text: str) -> dict[str, Any]:
    return {"type": "string", "description": text}


def _number(text: str) -> dict[str, Any]:
    return {"type": "number", "description": text}


def _whole(text: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": text}


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    return value | {"type": [value["type"], "null"]}
