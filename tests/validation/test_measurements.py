"""Measurements of others in the shapes of `data/`: compared as our own, or refused line by line."""

import shutil

import pandas as pd
import pytest

from tests.validation.__main__ import BROKEN, UNREADABLE, comparable, compare_folder
from tests.validation.measurements import COLUMNS, DATA, MeasurementError, read


@pytest.fixture
def folder(tmp_path):
    """A folder with nothing but what a test puts there."""
    return tmp_path / "measured"


def put(folder, name, change=lambda table: table):
    """Write a changed copy of one of our files."""
    folder.mkdir(exist_ok=True)
    change(pd.read_csv(DATA / name)).to_csv(folder / name, index=False)


def held(folder):
    return (folder / "out" / "held.md").read_text(encoding="utf-8")


# ---- what can be compared ------------------------------------------------------------------------


@pytest.mark.parametrize("name", COLUMNS)
def test_our_own_files_have_the_shape_that_others_must_have(name):
    assert len(read(name)) > 10


def test_a_subset_is_compared_like_the_whole(folder, capsys):
    put(folder, "esp_overhead.csv", lambda table: table.iloc[::5])
    assert compare_folder([], folder, folder / "out") == 0
    assert "| ESP on the wire | rows exact | 100.0 %" in capsys.readouterr().out
    assert len(pd.read_csv(folder / "out" / "esp.csv")) == 108


def test_columns_that_nothing_uses_may_be_missing_and_lines_may_be_in_any_order(folder):
    keep = [column.name for column in COLUMNS["esp_overhead.csv"]]
    put(folder, "esp_overhead.csv", lambda table: table[keep].sample(60, random_state=1))
    assert compare_folder([], folder, folder / "out") == 0


def test_one_byte_too_many_is_seen(folder):
    put(folder, "esp_overhead.csv", lambda t: t.assign(outer_ip_bytes=t["outer_ip_bytes"] + 1))
    assert compare_folder([], folder, folder / "out") == BROKEN
    assert "| 0.0 % | at least 100.0 % | **no** |" in held(folder)


def test_another_outer_mtu_is_a_column(folder):
    def at_9000(table):
        big = table[table["encap"] == "esp-plain-aes256gcm16"].head(2)
        # 20 + 8 + 8 + 4,004 + 16: a packet of 4,000 bytes goes in one piece.
        return big.assign(
            inner_ip_bytes=4_000, outer_ip_bytes=4_056, outer_packets_per_inner=1,
            outer_mtu_bytes=[9_000, 4_056],
        )  # fmt: skip

    put(folder, "esp_overhead.csv", at_9000)
    assert compare_folder([], folder, folder / "out") == 0


def test_tcp_cells_with_other_parameters_run(folder):
    def another(table):
        run = table[(table["flows"] == 1) & (table["cc"] == "reno")].head(1)
        return run.assign(rate_mbit=37, rtt_ms=23.5, queue_bytes=40_000, warm_s=5, dur_s=5, loss=0)

    put(folder, "tcp_grid.csv", another)
    compare_folder(["tcp-grid"], folder, folder / "out")
    (row,) = pd.read_csv(folder / "out" / "tcp-grid.csv").itertuples()
    assert row.rate_mbit == 37
    assert 20 < row.goodput_mbps_model <= 37 * 1448 / 1514


def test_a_failure_without_a_phase_has_no_phases_to_compare(folder, capsys):
    put(folder, "bgp_failover.csv", lambda table: table[table["kind"] == "linkdown"].head(4))
    assert compare_folder(["routers-ages"], folder, folder / "out") == 0
    assert "Routers" not in capsys.readouterr().out


def test_only_comparisons_whose_files_are_there_are_made(folder):
    put(folder, "tcp_outage.csv")
    put(folder, "tcp_grid.csv")
    names = [s.name for s in comparable([], folder)]
    assert names == ["tcp-grid", "tcp-rare-loss", "tcp-outage"]


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("esp_overhead.csv", lambda t: t.drop(columns="encap"), ":1: has no column encap"),
        ("esp_overhead.csv", lambda t: t.head(0), ": has no line of data"),
        ("esp_overhead.csv", lambda t: t.assign(encap="geneve"), "encap 'geneve' is unknown"),
        ("crypto_cost.csv", lambda t: t.assign(ns_min="fast"), ":2: ns_min must be a number"),
        ("crypto_cost.csv", lambda t: t.assign(dir="both"), "must be one of encrypt, decrypt"),
        ("tcp_grid.csv", lambda t: t.assign(loss=1.5), ":2: loss must be from 0 to 0.999999"),
        ("tcp_grid.csv", lambda t: t.assign(dur_s=0), ":2: dur_s must be above 0, is '0'"),
        ("tcp_grid.csv", lambda t: t.assign(flows=2.5), "must be a whole number"),
        ("tcp_grid.csv", lambda t: t.assign(flows=99), "must have one for each flow"),
        ("tcp_rtt_unfairness.csv", lambda t: t[t["flow"] == 1], "must have one for each flow"),
        ("tcp_rtt_unfairness.csv", lambda t: t.assign(rtts_ms="10/30"), "must look like"),
        ("bgp_failover.csv", lambda t: t.assign(kind="quiet"), "must be one of silent, a_only"),
        ("bgp_failover.csv", lambda t: t.assign(hold_s=None), ":2: hold_s is blank"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(folder, capsys, name, change, words):
    put(folder, name, change)
    assert compare_folder([], folder, folder / "out") == UNREADABLE
    told = capsys.readouterr().err
    assert words in told
    assert name in told
    assert "Traceback" not in told


def test_all_faults_of_a_file_are_told_at_once(folder):
    put(folder, "crypto_cost.csv", lambda t: t.head(2).assign(bytes=[-1, 64], ns_min=[1.0, 0.0]))
    with pytest.raises(MeasurementError) as found:
        read("crypto_cost.csv", folder)
    assert str(found.value).count("\n") == 1
    assert ":2: bytes must be from 1 to inf, is '-1'" in str(found.value)
    assert ":3: ns_min must be above 0, is '0.0'" in str(found.value)


def test_a_folder_without_measurements_is_refused(folder):
    folder.mkdir()
    with pytest.raises(MeasurementError, match=r"has none of tcp_grid\.csv"):
        comparable([], folder)
    shutil.copy(DATA / "crypto_cost.csv", folder)
    with pytest.raises(MeasurementError, match=r"esp needs esp_overhead\.csv"):
        comparable(["esp"], folder)
