"""`rates_from`: a traffic matrix over time beside the scenario, from CSV or Parquet."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.arrivals import FOREVER_S, RateSteps
from simulator.base.errors import CrosspremError, Problem, ScenarioError, UsageError
from simulator.scenario import load
from simulator.scenario.rate_files import ROWS_MAX
from simulator.scenario.rate_tables import read_table

SCENARIO = """
schema_version: 1
title: Rates from a table
run: {horizon: 40 s}
vnets: {hub: {region: West Europe, address_space: [10.0.0.0/16], gateway_subnet: 10.0.255.0/27}}
sites:
  lyon:
    location: {near: France Central}
    address_space: [192.168.0.0/20]
    internet: {isp: {down: 500 Mbit/s, up: 500 Mbit/s}}
    devices: {edge: {public_ip: 203.0.113.7}}
  branch:
    count: 2
    location: {near: Germany West Central}
    address_space: ["10.{100+i}.0.0/16"]
    internet: {isp: {down: 100 Mbit/s, up: 40 Mbit/s}}
    devices: {edge: {public_ip: "100.64.0.{i}"}}
gateways: {hub-vpn: {type: vpn, vnet: hub, sku: VpnGw1AZ}}
connections:
  lyon-vpn: {type: ipsec, gateway: hub-vpn, site: lyon}
  branch-vpn: {type: ipsec, gateway: hub-vpn, site: branch}
traffic:
  web: {kind: poisson, packet_size: internet-mix, rates_from: rates.csv}
  video:
    kind: constant
    rates_from: rates.csv
"""
HEADER = "time_s,src,dst,class,rate_mbps,packet_bytes,flows\n"
TABLE = HEADER + (
    "0,lyon,hub,web,20,,\n"
    "10,lyon,hub,web,40,,\n"
    "0,branch,hub,web,2,,\n"
    "0,hub,lyon,video,5,1200,4\n"
    "20,hub,lyon,video,2,1200,4\n"
)
ONE = SCENARIO[: SCENARIO.index("  video:")]


def write(folder: Path, table: str | bytes = TABLE, scenario: str = SCENARIO) -> Path:
    content = table if isinstance(table, bytes) else table.encode()
    (folder / "rates.csv").write_bytes(content)
    path = folder / "design.yaml"
    path.write_text(scenario, encoding="utf-8")
    return path


def problems_of(folder: Path, table: str | bytes, scenario: str = SCENARIO) -> tuple[Problem, ...]:
    with pytest.raises(ScenarioError) as caught:
        load(write(folder, table, scenario))
    return caught.value.problems


def test_each_pair_of_places_becomes_a_stream_with_steps(tmp_path: Path) -> None:
    scenario = load(write(tmp_path))
    assert list(scenario.traffic) == [
        "web-lyon-hub", "web-branch-hub-1", "web-branch-hub-2", "video-hub-lyon",
    ]  # fmt: skip
    web, video = (scenario.traffic[n] for n in ("web-lyon-hub", "video-hub-lyon"))
    assert (web.kind, web.from_, web.to, web.rate) == ("poisson", "lyon", "hub", 40e6)
    # 20 s is a time of the table, at which this pair has no row; the last step is 10 s long
    assert (web.steps.at, web.steps.factors, web.steps.end) == ((0, 10, 20), (0.5, 1, 0), 30)
    assert (video.kind, video.rate, video.packet_size, video.flows) == ("constant", 5e6, 1200, 4)
    assert scenario.traffic["web-branch-hub-2"].from_ == "branch-2"


def test_the_resolved_file_needs_no_table(tmp_path: Path) -> None:
    scenario = load(write(tmp_path))
    assert load(scenario.resolved_yaml()) == scenario


def test_entries_are_overridden_by_their_own_names(tmp_path: Path) -> None:
    scenario = load(write(tmp_path), {"traffic.web.packet_size": "900 bytes"})
    assert scenario.traffic["web-branch-hub-1"].packet_size == 900.0


@pytest.mark.parametrize(
    "table",
    [
        TABLE.replace("rate_mbps", "rate [Mbit/s]"),
        TABLE.replace("rate_mbps", "rate (Mbit/s)").replace(",", ";"),
        TABLE.replace(",", "\t"),
        "\ufeff" + TABLE.replace("\n", "\r\n"),
        TABLE.replace("time_s", "time").replace("rate_mbps", "rate").replace(
            "flows\n", "flows\ns,,,,Mbit/s,bytes,\n"),
        TABLE.replace("rate_mbps", "rate").replace("flows\n", "flows\nunit,,,,mbps,,\n"),
        HEADER + "".join(reversed(TABLE.removeprefix(HEADER).splitlines(keepends=True))),
        TABLE.replace("rate_mbps", "rate").replace("b,20", "b,20 Mbit/s").replace(
            "b,40", "b,0.04 Gbit/s").replace("b,2,", "b,2000 kbit/s,").replace(
            "o,5", "o,5 Mbit/s").replace("o,2", "o,2 Mbit/s"),
    ],
    ids=["brackets", "semicolons", "tabs", "bom", "units", "unit", "unsorted", "cells"],
)  # fmt: skip
def test_other_ways_to_write_the_same_table(tmp_path: Path, table: str) -> None:
    plain = load(write(tmp_path))
    other = load(write(tmp_path, table))
    assert dict(other.traffic) == dict(plain.traffic)


def test_dates_count_from_midnight_of_the_first(tmp_path: Path) -> None:
    table = (
        "time,src,dst,rate_bps\n"
        "2026-03-02T08:15:00,lyon,hub,3e6\n2026-03-02 08:30:00,lyon,hub,6e6\n"
    )
    stream = load(write(tmp_path, table, ONE)).traffic["web-lyon-hub"]
    assert stream.steps.at == (8.25 * 3600, 8.5 * 3600)
    (problem,) = problems_of(tmp_path, table + "900,lyon,hub,1e6\n", ONE)
    assert (problem.line, problem.col) == (4, 1)
    assert "2026-03-02T00:00:00" in problem.fix


def test_a_parquet_table_says_the_same(tmp_path: Path) -> None:
    plain = load(write(tmp_path))
    rows = [line.split(",") for line in TABLE.splitlines()]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    frame["rate_mbps"] = frame["rate_mbps"].astype(float)
    frame["time_s"] = frame["time_s"].astype(int)
    frame["flows"] = pd.to_numeric(frame["flows"])
    frame.to_parquet(tmp_path / "rates.parquet")
    path = write(tmp_path, scenario=SCENARIO.replace("rates.csv", "rates.parquet"))
    assert dict(load(path).traffic) == dict(plain.traffic)
    frame["time_s"] = [datetime(2026, 3, 2, 8, minute) for minute in (0, 1, 0, 0, 2)]
    frame.rename(columns={"time_s": "time"}).to_parquet(tmp_path / "rates.parquet")
    web = load(path).traffic["web-lyon-hub"]
    assert web.steps.at == (28_800, 28_860, 28_920)
    (tmp_path / "rates.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ScenarioError, match="is no Parquet file"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "line", "col", "rule", "fix"),
    [
        ("0,lyon,hub,web,20", "0,lyonn,hub,web,20", 2, 2, "no site, VNet", "'lyon'"),
        ("hub,lyon,video,5", "hub,lyon,vidoe,5", 5, 4, "bears this name", "'video'"),
        ("rate_mbps", "rate", 2, 5, "has no unit", "rate_bps"),
        ("time_s", "time", 2, 1, "has no unit", "time_s"),
        ("rate_mbps", "rate_MBps", 1, 5, "no unit of rate", "bit/s"),
        ("rate_mbps", "rates_mbps", 1, 5, "no column", "rate_bps"),
        ("class", "src", 1, 4, "two columns src", "remove"),
        ("web,20", "web,nan", 2, 5, "finite", "650 Mbit/s"),
        ("web,20", "web,-inf", 2, 5, "finite", "650 Mbit/s"),
        ("web,20", "web,-20", 2, 5, "not be negative", "sign"),
        ("web,20", 'web,"2,5"', 2, 5, "one decimal point", "650 Mbit/s"),
        ("web,20", "web,", 2, 5, "rate is empty", "write it"),
        ("web,20", "web,2e9", 2, 5, "between 1 kbit/s and 1000 Gbit/s", "greatest"),
        ("10,lyon", "0,lyon", 3, 1, "line 2 has the same time", "add up"),
        ("10,lyon", "0.0000001,lyon", 3, 1, "less than 1 ms apart", "round"),
        ("10,lyon", "9e9,lyon", 3, 1, "50 d or more", "keep"),
        ("0,lyon,hub,web,20", "0,hub,hub,web,20", 2, 3, "same place", "two places"),
        ("20,hub,lyon,video,2,1200", "20,hub,lyon,video,2,1300", 6, 6, "another packet", "class"),
        ("video,5,1200,4", "video,5,1200,0.5", 5, 7, "whole number of flows", "4"),
        ("0,branch,hub,web,2,,", "0,branch,hub,web,2,", 4, 1, "6 cells", "empty ones"),
        ("0,branch,hub,web,2,,", '0,"branch,hub,web,2,,', 6, 1, "is no CSV", "quotes"),
        ("flows\n", "flows\nparsec,,,,,,unit\n", 2, 1, "is no unit of time", "min"),
        ("flows\n", "flows\n,,,,bit/s,,unit\n", 2, 5, "header says Mbit/s", "once"),
        ("web,20,,", "web,20,,7", 3, 7, "another flows", "class"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_cell(
    tmp_path: Path, old: str, new: str, line: int, col: int, rule: str, fix: str
) -> None:
    assert old in TABLE
    problems = problems_of(tmp_path, TABLE.replace(old, new, 1))
    found = [p for p in problems if (p.line, p.col) == (line, col) and rule in p.rule]
    assert found, [str(p) for p in problems]
    assert all(p.file.endswith("rates.csv") for p in problems)
    assert fix in (found[0].fix or "")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    table = HEADER + "0,lyon,hub,web,x,,\n-1,lyon,hub,web,nan,,\n0,hub,hub,web,1,0,\n"
    places = [(p.line, p.col) for p in problems_of(tmp_path, table)]
    assert places == [(2, 5), (3, 1), (3, 5), (4, 3), (4, 6)]
    one_unit = problems_of(tmp_path, TABLE.replace("rate_mbps", "rate"))
    assert len(one_unit) == 1


@pytest.mark.parametrize(
    ("old", "new", "path", "rule"),
    [
        ("kind: constant", "kind: voice", "traffic.video.kind", "no rate of a table"),
        ("kind: constant", "flows: 2", "traffic.video.kind", "required field"),
        ("kind: constant", "kind: constant\n    rate: 1 Mbit/s", "traffic.video.rate",
         "table says"),
        ("kind: constant", "kind: constant\n    zzz: 1", "traffic.video-hub-lyon.zzz", "unknown"),
        ("  video:", "  film:", "traffic.film", "no row of class 'film'"),
        ("    rates_from: rates.csv", "    rates_from: 3", "traffic.video.rates_from",
         "name a file"),
        ("    rates_from: rates.csv", "    rates_from: rates.csv\n    steps: {at: [0 s]}",
         "traffic.video.steps.at", "has the steps"),
        ("  video:", "  web-lyon-hub: {kind: voice, from: lyon, to: hub, codec: G.711, calls: 1}\n"
         "  video:", "rates_from", "which another has"),
    ],
)  # fmt: skip
def test_entries_that_say_what_the_table_says(
    tmp_path: Path, old: str, new: str, path: str, rule: str
) -> None:
    assert old in SCENARIO
    problems = problems_of(tmp_path, TABLE, SCENARIO.replace(old, new, 1))
    assert [p for p in problems if p.path == path and rule in p.rule], [str(p) for p in problems]


def test_a_table_without_classes_belongs_to_one_entry(tmp_path: Path) -> None:
    table = "time_s,src,dst,rate_bps,packet_bytes\n0,lyon,hub,1e6,300\n"
    assert list(load(write(tmp_path, table, ONE)).traffic) == ["web-lyon-hub"]
    problems = problems_of(tmp_path, table)
    assert [(p.path, p.line > 0) for p in problems] == [("traffic.video.rates_from", True)]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "is empty"),
        (HEADER.encode(), "has no row"),
        (b"\x00\x01\x02\x00binary", "binary data"),
        (TABLE.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04 a workbook", "save its sheet as CSV"),
        (b"time_s,src\xff", "UTF-8"),
        ((HEADER + "1,a,b,web,1,,\n" * (ROWS_MAX + 2)).encode(), "at most 40000 rows"),
        (b"x" * (8 * 2**20 + 1), "at most 8 MiB"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: bytes, rule: str) -> None:
    with pytest.raises(ScenarioError, match=rule):
        load(write(tmp_path, content))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "rates.csv").unlink()
    with pytest.raises(UsageError, match="No such file"):
        load(path)


@given(st.text(st.sampled_from('0123456789.,;-eE"\n smbitw_lyonhubratednsc/[]'), max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_text_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, tail: str
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "rates.csv"
    for text in (tail, TABLE + tail, TABLE[:60] + tail + TABLE[60:]):
        path.write_text(text, encoding="utf-8")
        try:
            table, problems = read_table(path, "rates.csv")
        except CrosspremError:
            continue
        assert (table is None) == bool(problems)
        for problem in problems:
            assert problem.line >= 1
            assert problem.fix
        if table is not None:
            assert list(table.times_s) == sorted(set(table.times_s))
            for series in table.series:
                assert len(series.rates_bps) == len(table.times_s)
                assert min(series.rates_bps) >= 0.0


def test_steps_begin_within_the_table_and_repeat() -> None:
    steps = RateSteps(at=["10 s", "20 s"], factors=[0.5, 1.0], end="60 s", begin="0 s")
    once = steps.profile(100.0)
    assert (once.period_s, once.starts_s, once.factors) == (
        FOREVER_S, (0.0, 10.0, 20.0, 60.0), (0.0, 0.5, 1.0, 0.0),
    )  # fmt: skip
    late = RateSteps(at=["10 s", "20 s"], factors=[0.5, 1.0], end="60 s", begin="15 s")
    assert late.profile(30.0).starts_s == (0.0, 5.0)
    again = RateSteps(
        at=["10 s", "20 s"], factors=[0.5, 1.0], end="60 s", begin="75 s", repeat=True
    ).profile(500.0)
    # 15 s into the table: 5 s of 0.5, 40 s of 1, 10 s of nothing, 5 s of 0.5 again
    assert (again.period_s, again.starts_s) == (60.0, (0.0, 5.0, 45.0, 55.0))
    assert again.factors == (0.5, 1.0, 0.0, 0.5)
