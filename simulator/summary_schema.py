"""The JSON Schema of `summary.json`, made from the dictionary of the tables it summarises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kernels import layout
from simulator import metrics
from simulator.base.json_parts import array_of, number_of, object_of, or_null, text_of, whole_of
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
        **object_of(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "scenario": text_of("Short name of the scenario."),
                "title": text_of("Its title."),
                "question": text_of("What the simulation is to answer; empty if nobody said."),
                "scenario_hash": text_of("SHA-256 of all its values, defaults included."),
                "seed": whole_of("Seed of every random number."),
                "replicate": whole_of("Which replication these figures are of, from 0."),
                "fidelity": {
                    "enum": ["packet", "flow"],
                    "description": "How traffic was simulated.",
                },
                "horizon_s": number_of("Simulated time."),
                "warm_up_s": number_of("Time at the start that rates and latencies leave out."),
                "time_bin_s": number_of("Width of a time bin, the resolution of outages."),
                "streams": array_of(_streams(), "One entry for each stream and direction."),
                "hops": array_of(_hops(), "One entry for each hop and direction."),
                "events": array_of(_events(), "What happened in the control plane, in order."),
                "failovers": array_of(_failovers(), "What each fault did to each stream."),
                "targets": array_of(
                    target_schema(), "The scenario's targets and whether they were met."
                ),
                "cost": or_null(_cost()),
                "warnings": array_of({"type": "string"}, "What the reader should know."),
                "performance": _performance(),
            },
            optional={"replications": _replications(), "windows": _windows()},
        ),
    }


def _windows() -> dict[str, Any]:
    row = object_of(
        {
            "packets_from_s": number_of("When packets began to move; not shown until `begin_s`."),
            "begin_s": number_of("Start of the first time bin that is of packets."),
            "end_s": number_of("End of the last one."),
        }
    )
    return array_of(row, "Stretches at packet level; present if a flow-level run zooms in.")


def _streams() -> dict[str, Any]:
    columns = [c for c in metrics.columns("streams") if "_dropped" not in c.name]
    fields = {column.name: column_schema(column) for column in columns}
    for unit in ("packets", "bytes"):
        fields[f"{unit}_dropped"] = _reasons(f"{unit.capitalize()} dropped, by reason.")
    return object_of(fields)


def _hops() -> dict[str, Any]:
    columns = [c for c in metrics.columns("hops") if "_dropped" not in c.name]
    drops = {"drops": _reasons("Packets dropped at this hop, by reason.")}
    return object_of({column.name: column_schema(column) for column in columns} | drops)


def _events() -> dict[str, Any]:
    return object_of({column.name: column_schema(column) for column in metrics.columns("events")})


def _failovers() -> dict[str, Any]:
    return object_of(
        {column.name: column_schema(column) for column in metrics.columns("failovers")}
    )


def target_schema() -> dict[str, Any]:
    """The schema of a target and its verdict."""
    return object_of(
        {
            "target": text_of("Name of the field in the scenario's `targets`."),
            "limit": number_of("What must not be exceeded, in SI units."),
            "value": or_null(number_of("The worst value of the run; null if it cannot tell.")),
            "subject": text_of("Stream and direction of the worst value."),
            "is_met": or_null({"type": "boolean", "description": "null if the run cannot tell"}),
        }
    )


def _cost() -> dict[str, Any]:
    usd = or_null(number_of("Null if a price is unknown."))
    line = object_of(
        {
            "item": text_of("What is billed."),
            "subject": text_of("For which part of the design."),
            "quantity": number_of("How much of it in a month."),
            "unit": text_of("Unit of the quantity."),
            "rate_usd": usd,
            "amount_usd": usd,
            "source": text_of("Where the rate comes from."),
            "is_estimate": {"type": "boolean", "description": "Whether the rate is an estimate."},
            "note": text_of("How the quantity was counted."),
        }
    )
    fields = object_of(
        {
            "total_usd": usd,
            "known_usd": number_of("Sum of the lines whose price is known."),
            "month_s": number_of("Length of a month on the bill."),
            "traffic_s": number_of("How long in the month the traffic is that of the run."),
            "lines": array_of(line, "Quantity x unit x rate."),
        }
    )
    return fields | {"description": "What the design costs in a month; null if nobody asked."}


def _performance() -> dict[str, Any]:
    fields = object_of(
        {
            "packet_hops": whole_of("Packets served by hops with a finite rate, data and ACKs."),
            "cpu_s": number_of("CPU time of the engine, without compilation."),
            "cpu_total_s": number_of("CPU time of planning, compiling and running."),
            "wall_s": number_of("Time that passed meanwhile."),
            "peak_rss_bytes": whole_of("Largest memory of the process so far."),
            "flow_events": whole_of("Flow level: arrivals and completions of TCP flows."),
        }
    )
    return fields | {"description": "What the run cost: the only figures that vary."}


def _replications() -> dict[str, Any]:
    quantile = or_null({"type": "number"})
    row = object_of(
        {
            "stream": text_of("Name of the stream."),
            "direction": text_of("`forward` or `return`."),
            "metric": text_of("Column of `streams`; its unit is in the name."),
            "median": quantile,
            "p5": quantile,
            "p95": quantile,
            "replications": whole_of("How many replications know this figure."),
        }
    )
    of_fault = object_of(
        {"fault": text_of("Kind of the fault and what it struck.")} | row["properties"]
    )
    of_fault["properties"]["metric"] = text_of(
        "Column of `failovers`; `..._after_s` counts from the fault."
    )
    fields = object_of(
        {
            "wanted": whole_of("How many were asked for."),
            "finished": whole_of("How many there are."),
            "spread": array_of(row, "Median and 5th to 95th percentile over the replications."),
            "failovers": array_of(of_fault, "The same of what each fault did to each direction."),
        }
    )
    return fields | {"description": "Present if more than one replication was asked for."}


def column_schema(column: Column) -> dict[str, Any]:
    """The schema of a value of a column of the tables."""
    unit = f" Unit: {column.unit}." if column.unit not in {TEXT, COUNT} else ""
    text = column.text + unit
    if column.unit == TEXT:
        return text_of(text)
    if column.unit in INTEGERS and column.name not in NOT_INTEGERS:
        return or_null(whole_of(text)) if column.name in OPTIONAL_INTEGERS else whole_of(text)
    return number_of(text) if column.name in ALWAYS_KNOWN else or_null(number_of(text))


def _reasons(text: str) -> dict[str, Any]:
    fields = {reason: whole_of(REASON_TEXT[reason]) for reason in layout.REASONS}
    return object_of(fields) | {"description": text}
