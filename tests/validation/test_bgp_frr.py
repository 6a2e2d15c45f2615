"""BGP and BFD machines against FRR routers in a laboratory (data/README.md)."""

import pytest

from tests.validation.validate_bgp import QUANTITIES, bgp_rows, measured, pooled_rows

SHORT_SEEDS, LONG_SEEDS = 200, 2_000


def assert_close(rows):
    """Within tolerance, or as far off as so few repetitions are by accident."""
    off = rows[rows["is_off"]]
    assert off.empty, off.to_string()


def test_fast_settings_follow_the_routers():
    rows = bgp_rows(SHORT_SEEDS, lambda lab: lab.bfd_mult > 0 or lab.hold_s <= 30)
    assert_close(rows)
    assert set(rows["quantity"]) == set(QUANTITIES)
    assert rows["is_met"].mean() >= 0.8


def test_all_silent_deaths_together_are_within_five_and_ten_per_cent():
    rows = pooled_rows(SHORT_SEEDS)
    assert rows["is_met"].all(), rows.to_string()


@pytest.mark.validate
def test_every_setting_follows_the_routers():
    rows = bgp_rows(LONG_SEEDS)
    assert_close(rows)
    settings = ["keepalive_s", "hold_s", "bfd_ms", "kind"]
    assert rows.groupby(settings).ngroups == measured().groupby(settings).ngroups
    assert rows["is_met"].mean() >= 0.8
