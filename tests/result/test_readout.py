"""The summary for a terminal: complete, and never wider than it should be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator import readout
from simulator.console import WIDTH, Progress, cut, table
from simulator.readout import event_text, run_text
from simulator.replications import Replications
from simulator.result import Result
from tests.result.handmade import ABOUT


def test_what_a_person_reads(result):
    text = run_text(result, Path("runs/branch-01234567"))
    for part in (
        "Branch office in Lyon",
        "Question: Does VpnGw1AZ carry",
        "seed 7",
        "office return",
        "only ACKs",
        "busiest hops",
        "lyon/isp forward",
        "because of link down at lyon.isp 4.5 s before",
        "latency_p95 <= 40 ms: MISSED, 41.2 ms (backup forward)",
        "VpnGw1 is retired",
        "files: runs/branch-01234567",
        "9,000,000 packet-hops",
    ):
        assert part in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= WIDTH


def test_long_names_and_texts_stay_within_the_width(plan, log):
    name = "a" * 63
    streams = tuple(replace(s, name=f"{s.name}-{name}"[:63]) for s in plan.streams)
    hops = tuple(replace(h, name=f"{h.name}/{name}/{name}/{name}") for h in plan.hops)
    events = tuple(
        replace(e, subject=f"{e.subject}/{name}/{name}", detail="why not " * 40) for e in log.events
    )
    about = replace(ABOUT, title="title " * 40, question="question " * 60, warnings=("w " * 200,))
    result = Result(
        replace(plan, streams=streams, hops=hops), replace(log, events=events), about=about
    )
    text = run_text(result, None)
    assert max(map(len, text.splitlines())) <= WIDTH


def test_both_links_of_a_circuit_and_what_is_left_after_losing_one():
    rows = [
        ("er.primary", "forward", 0.6),
        ("er.secondary", "forward", 0.5),
        ("er.primary", "return", 0.2),
        ("er.secondary", "return", 0.1),
        ("lone.primary", "forward", 0.9),
    ]
    hops = pd.DataFrame(rows, columns=["hop", "direction", "utilisation_ratio"])
    lines = [line.split() for line in readout._pairs(hops)[2:]]
    assert lines == [
        ["er", "forward", *["60", "%", "50", "%", "110", "%", "10", "%", "of", "a", "link"]],
        ["er", "return", *["20", "%", "10", "%", "30", "%", "nothing"]],
    ]
    assert readout._pairs(hops[hops["hop"] == "lone.primary"]) == []


def test_many_rows_are_cut_and_said_so(plan, log):
    events = tuple(replace(log.events[0], event_id=n, time_ps=n) for n in range(1, 101))
    text = run_text(Result(plan, replace(log, events=events)))
    assert "... and 80 more in the table of events" in text


def test_a_run_without_events_targets_and_title(plan, log):
    text = run_text(Result(plan, replace(log, events=())))
    assert text.startswith("branch\n")
    assert "what happened" not in text
    assert "targets" not in text


def test_replications_in_words(plan, log):
    results = [(k, Result(plan, log, about=ABOUT)) for k in range(3)]
    text = readout.text(Replications.of(results, wanted=5), Path("runs/x"))
    assert "3 replications of 5: interrupted" in text
    assert "latency_s_p95" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_an_event_names_its_cause():
    cause = {"time_s": 30.0, "kind": "link-down", "subject": "isp", "detail": ""}
    event = {"time_s": 39.2, "kind": "dpd-timeout", "subject": "vpn", "detail": "no answer"}
    assert event_text(event, cause) == (
        "vpn: dpd timeout (no answer), because of link down at isp 9.2 s before"
    )
    assert event_text(event, None) == "vpn: dpd timeout (no answer)"
    same = {**event, "time_s": 30.0, "subject": "isp", "detail": ""}
    assert event_text(same, cause) == "isp: dpd timeout, because of link down"


def test_cells_line_up():
    lines = table(("name", "n"), [("a", "1"), ("bcdef", "100")], right=(1,))
    assert lines == ["name     n", "a        1", "bcdef  100"]
    assert cut("abcdef", 5) == "ab..."


class Stream:
    """A stream that remembers what was written, on a terminal or not."""

    def __init__(self, is_terminal):
        self.is_terminal = is_terminal
        self.text = ""

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr("simulator.console.time.monotonic", lambda: now_s[0])
    stream = Stream(is_terminal=False)
    with Progress(stream=stream) as bar:
        for share in range(0, 101, 1):
            now_s[0] = 100.0 + share / 4
            bar(share, 100)
    assert stream.text.splitlines() == [
        "simulated 8e-12 of 1e-10 s (8 %), about 23 s left",
        "simulated 4.8e-11 of 1e-10 s (48 %), about 13 s left",
        "simulated 8.8e-11 of 1e-10 s (88 %), about 3 s left",
    ]


def test_progress_counts_replications():
    bar = Progress(runs=3, stream=Stream(is_terminal=False))
    for now in (0, 5, 10, 0, 5, 10, 0, 5):
        bar(now * 10**12, 10 * 10**12)
    assert bar.text == "replication 3 of 3, 5 of 10 s"


def test_on_a_terminal_progress_is_a_bar():
    stream = Stream(is_terminal=True)
    with Progress(stream=stream) as bar:
        bar(30 * 10**12, 60 * 10**12)
    assert "simulated 30 of 60 s" in stream.text
    assert "50%" in stream.text


@pytest.mark.parametrize("columns", [["loss_ratio"], ["latency_s_p50", "latency_s_p99"]])
def test_unknown_figures_are_dashes(result, columns):
    result.streams[columns] = np.nan
    assert " - " in run_text(result)


def test_copies_of_a_site_are_said_together(plan, log):
    names = [f"shop-{n}.tunnel-0" for n in range(1, 51)]
    events = tuple(
        replace(log.events[0], event_id=n, subject=name) for n, name in enumerate(names, 1)
    )
    text = run_text(Result(plan, replace(log, events=events)))
    assert "shop-1..50.tunnel-0: " in text
    assert "shop-7" not in text
