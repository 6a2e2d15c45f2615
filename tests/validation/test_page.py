"""The validation page: its tables are whole, its figures hold, and a sample is computed again."""

import math
import re

import pandas as pd
import pytest

from simulator import __version__
from tests.validation import page
from tests.validation.page_tables import percent, quantity
from tests.validation.published import (
    MET,
    MISSED,
    NOT_EXPRESSIBLE,
    SCENARIOS,
    Target,
    cases,
    compared,
    counts,
    round_trip_s,
    targets,
)
from tests.validation.sets import SETS, STEADY, Held
from tests.validation.validate_tcp import CELL, DATA, STEADY_FILES

SAMPLE = ("V013", "V014", "V056", "V068", "V087", "V097", "V103.1", "V106", "V121.2")
"""Numbers that take little time: distance, window, gateway, zones, backbone, hash, tunnel."""


@pytest.fixture(scope="module")
def tables():
    return page.read_tables()


# ---- the tables ------------------------------------------------------------------------------


def test_every_measured_row_stands_in_its_table(tables):
    assert list(tables["published"]["row"]) == list(targets())
    for file in STEADY_FILES:
        cells = pd.read_csv(DATA / file).groupby(CELL).ngroups
        assert len(tables[file.removesuffix(".csv").replace("_", "-")]) == cells
    for name in ("tcp_outage", "esp_overhead", "crypto_cost"):
        table = {"tcp_outage": "tcp-outage", "esp_overhead": "esp", "crypto_cost": "crypto"}[name]
        assert len(tables[table]) == len(pd.read_csv(DATA / f"{name}.csv"))
    flows = pd.read_csv(DATA / "tcp_rtt_unfairness.csv")
    keys = ["cc", "rtts_ms", "rate_mbit", "queue_bytes", "flow"]
    assert len(tables["tcp-rtt-unfairness"]) == flows.groupby(keys).ngroups


def test_every_figure_that_must_hold_holds(tables):
    broken = [f"{title}: {line}" for title, line in page.all_held(tables) if not line.is_held]
    assert not broken, "\n".join(broken)


def test_every_miss_and_every_gap_has_its_reason(tables):
    rows = tables["published"]
    needs = rows[rows["verdict"].isin([MISSED, NOT_EXPRESSIBLE])]
    assert (needs["reason"].str.len() > 20).all(), needs[["row", "reason"]].to_string()
    for name in (*STEADY, "tcp-outage"):
        off = tables[name][tables[name]["verdict"] != "met"]
        assert (off["reason"].str.len() > 20).all(), name


def test_page_is_what_its_tables_say(tables):
    text = page.page_text(tables, page.read_stamp())
    assert page.PAGE.read_text(encoding="utf-8") == text
    assert "{{" not in text
    for image in re.findall(r"\(images/([^)]+)\)", text):
        assert (page.IMAGES / image).exists(), image
    for table in re.findall(r"\(validation/([^)]+\.csv)\)", text):
        assert (page.TABLES / table).exists(), table


def test_page_says_its_version_and_counts_in_its_first_line(tables):
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.read_stamp()["version"] == __version__
    assert f"Version {__version__}; figures as of " in text
    first = text.splitlines()[0]
    for line in counts(tables["published"]).itertuples():
        assert f"expresses {line.expressible}" in first
        assert f" and meets {line.met} (" in first
        assert f"inputs of the model it meets {line.met_tests} of {line.tests} (" in first


@pytest.mark.parametrize("row", SAMPLE)
def test_sample_of_published_numbers_is_what_the_model_gives_now(row, tables):
    found = compared(targets()[row], cases()[row])
    (written,) = tables["published"][tables["published"]["row"] == row].itertuples()
    assert found["simulated"] == pytest.approx(written.simulated, rel=0.01)
    assert found["verdict"] == written.verdict


# ---- the lines of published_rows.csv ---------------------------------------------------------


def test_every_published_number_has_one_line():
    assert list(cases()) == list(targets())


def test_every_scenario_is_used_and_no_line_changes_a_model_parameter():
    used = {case.scenario for case in cases().values()} - {""}
    assert used == {file.stem for file in SCENARIOS.glob("*.yaml")}
    allowed = re.compile(
        r"(vnets\.\w+\.(region|zones)"
        r"|gateways\.[\w-]+\.(sku|generation|mode)"
        r"|connections\.[\w-]+\.(rtt|ipsec\.\w+|fastpath|tunnels|routing)"
        r"|traffic\.\w+\.(flows|window)|run\.\w+|era|faults\S*|sites\.\S+|circuits\.\S+)="
    )
    for case in cases().values():
        for change in case.changes:
            assert allowed.match(change), f"{case.row}: {change}"


# ---- by hand ---------------------------------------------------------------------------------


def target(low, high):
    return Target("V000", "", "", "", low, high, "s", "high", "", "")


def test_error_of_a_value_a_range_and_a_bound_by_hand():
    assert target(10.0, 10.0).error_ratio(11.0) == pytest.approx(0.1)
    assert target(10.0, 10.0).error_ratio(9.0) == pytest.approx(-0.1)
    assert target(10.0, 20.0).error_ratio(15.0) == 0.0
    assert target(10.0, 20.0).error_ratio(25.0) == pytest.approx(0.25)  # 5 above 20
    assert target(10.0, 20.0).error_ratio(8.0) == pytest.approx(-0.2)  # 2 below 10
    assert target(-math.inf, 10.0).error_ratio(3.0) == 0.0
    assert target(1800.0, math.inf).error_ratio(900.0) == pytest.approx(-0.5)


class TwoWays:
    """A result whose probe takes 1 or 3 ms forward, half each, and 2 ms back."""

    latency_cdf = pd.DataFrame(
        {
            "stream": ["probe"] * 3,
            "direction": ["forward", "forward", "return"],
            "latency_s_low": [0.0009, 0.0029, 0.0019],
            "latency_s_high": [0.0011, 0.0031, 0.0021],
            "packets": [50, 50, 7],
        }
    )


def test_round_trip_by_hand():
    assert round_trip_s(TwoWays, "probe", 0.4) == pytest.approx(0.003)
    assert round_trip_s(TwoWays, "probe", 0.6) == pytest.approx(0.005)
    assert round_trip_s(TwoWays, "probe", None) == pytest.approx(0.004)


def test_a_figure_that_does_not_hold_is_seen():
    assert Held("error", 0.05, 0.05).is_held
    assert not Held("error", 0.051, 0.05).is_held
    assert Held("share", 0.9, 0.9, is_floor=True).is_held
    assert not Held("share", 0.89, 0.9, is_floor=True).is_held


def test_counting_by_hand():
    rows = pd.DataFrame(
        {
            "trust": ["high", "high", "high (documented)", "medium", "low"],
            "verdict": [MET, MISSED, NOT_EXPRESSIBLE, MET, "shown"],
            "is_input": [True, False, False, False, False],
            "error": [0.0, 0.5, math.nan, 0.0, 0.9],
        }
    )
    high, medium = counts(rows).itertuples()
    assert (high.published, high.expressible, high.met, high.met_inputs) == (3, 2, 1, 1)
    assert (high.tests, high.met_tests) == (1, 0)
    assert (medium.published, medium.met_ratio) == (1, 1.0)


def test_quantities_as_people_read_them():
    assert quantity(262e6, "bps") == "262 Mbit/s"
    assert quantity(0.0000615, "s") == "0.0615 ms"
    assert quantity(75.0, "s") == "75 s"
    assert quantity(4.0, "flows") == "4 flows"
    assert percent(0.034) == "+3.4 %"
    assert percent(-0.25) == "-25 %"


def test_names_of_the_sets_are_the_names_of_their_files():
    assert {file.stem for file in page.TABLES.glob("*.csv")} == {s.name for s in SETS}
