"""BGP and BFD machines against FRR routers in a laboratory (data/README.md)."""

import numpy as np
import pytest

from tests.validation import validate_bgp
from tests.validation.measurements import read
from tests.validation.router_lab import Lab, NeighbourEntry
from tests.validation.validate_bgp import (
    FAMILY_ERROR,
    FILE,
    QUANTITIES,
    age_rows,
    ages,
    bgp_rows,
    holm,
    labs,
    perfect_rows,
    phase_rows,
    sources,
)

SHORT_SEEDS, LONG_SEEDS = 200, 2_000


def assert_close(rows):
    """Within tolerance, or as far off as one of so many rows is by accident."""
    off = rows[rows["is_off"]]
    assert off.empty, off.to_string()


def test_fast_settings_follow_the_routers():
    rows = bgp_rows(SHORT_SEEDS, lambda lab: lab.bfd_mult > 0 or lab.hold_s <= 30)
    assert_close(rows)
    assert set(rows["quantity"]) == set(QUANTITIES)
    assert rows["is_met"].mean() >= 0.8


def test_with_the_phase_of_each_repetition_every_row_is_met():
    rows = phase_rows(SHORT_SEEDS)
    assert len(rows) == 144
    assert rows["is_met"].all(), rows[~rows["is_met"]].to_string()


def test_a_model_with_slower_tables_fails_though_it_has_the_phase(monkeypatch):
    simulated = validate_bgp.simulated

    def slower(lab, probe_s, seeds):
        table = simulated(lab, probe_s, seeds)
        return table.assign(fib_a_ms=table["fib_a_ms"] + 150.0)

    monkeypatch.setattr(validate_bgp, "simulated", slower)
    rows = phase_rows(SHORT_SEEDS)
    assert set(rows[~rows["is_met"]]["quantity"]) == {"fib_a_ms"}


def test_a_multiplier_that_was_not_set_is_called_off(tmp_path):
    table = read(FILE)
    one = table[(table["bfd_ms"] == 300) & (table["kind"] == "silent")]
    one.assign(bfd_mult=4).to_csv(tmp_path / FILE, index=False)
    rows = bgp_rows(SHORT_SEEDS, folder=tmp_path)
    assert rows["is_off"].mean() > 0.9
    assert phase_rows(SHORT_SEEDS, tmp_path)["is_met"].mean() < 0.5
    (alone, together) = age_rows(SHORT_SEEDS, tmp_path).itertuples()
    assert alone.ks_ratio == together.ks_ratio < 1e-6


def test_phases_are_as_random_as_the_model_has_them():
    rows = age_rows(SHORT_SEEDS)
    assert holm(rows["ks_ratio"].to_numpy()).min() >= FAMILY_ERROR
    assert list(rows["ends"][rows["kind"] == "all"]) == [70, 80]


@pytest.mark.validate
def test_every_setting_follows_the_routers():
    rows = bgp_rows(LONG_SEEDS)
    assert_close(rows)
    assert rows.groupby(["keepalive_s", "hold_s", "bfd_ms", "kind"]).ngroups == len(list(labs()))
    perfect = perfect_rows(LONG_SEEDS).iloc[-1]
    assert perfect["measured_met"] == rows["is_met"].sum()
    assert perfect["measured_met"] >= perfect["perfect_low"]


# ---- by hand ---------------------------------------------------------------------------------


def test_holm_by_hand():
    # In order 0.01, 0.02, 0.5: times 3, 2, 1.
    assert holm(np.array([0.02, 0.5, 0.01])) == pytest.approx([0.04, 0.5, 0.03])
    # Never below the one before: 0.01 x 2 and 0.011 x 1.
    assert holm(np.array([0.01, 0.011])) == pytest.approx([0.02, 0.02])


def test_ages_by_hand():
    table = read(FILE)
    lab = Lab(3, 10, 0, 0, "silent")
    first = table[(table["keepalive_s"] == 3) & (table["rep"] == 1)]
    # The last keepalive arrived 8.6682 - 10 s after the fault, 5 ms after it was sent.
    assert ages(lab, first) == pytest.approx([(10.005 - 8.6682) / 3])
    assert len(ages(Lab(60, 180, 0, 0, "linkdown"), first)) == 0


def test_only_columns_that_do_not_tell_the_phase_are_compared_with_it():
    in_step = sources(Lab(60, 180, 0, 0, "silent"))
    assert set(in_step) == set(QUANTITIES) - {"detect_a_ms"}
    assert set(in_step.values()) == {"detect_a_ms"}
    apart = sources(Lab(60, 180, 300, 3, "silent"))
    assert "detect_b_ms" not in apart
    assert apart["outage_ba_ms"] == "detect_b_ms"


@pytest.mark.parametrize(
    ("age_s", "reachable_s", "fails_s"),
    [
        # The keepalive found it resting: delay of 5 s from then, probes of 3 s.
        (4.4, 30.0, 3.6),
        # Confirmed by a probe 5 s after the keepalive, good for 30 s more, then 8 s.
        (12.0, 30.0, 31.0),
        # It rests (5 + 20 < 40) until the hosts begin, 0.75 s before the fault.
        (40.0, 20.0, 7.25),
        # The next keepalive, 3 s after the fault, falls into that delay: good for 20 s more.
        (57.0, 20.0, 31.0),
    ],
)
def test_neighbour_entry_at_sixty_seconds_by_hand(age_s, reachable_s, fails_s):
    assert NeighbourEntry(60.0, age_s, reachable_s).fails_s() == pytest.approx(fails_s)


def test_neighbour_entry_outlives_a_hold_time_of_thirty_seconds():
    # Confirmed at every keepalive, last 10 - age after the fault: 15 + 8 s more at least.
    for age_s in (0.0, 3.0, 9.9):
        assert NeighbourEntry(10.0, age_s, 15.0).fails_s() >= 30.0 - age_s
