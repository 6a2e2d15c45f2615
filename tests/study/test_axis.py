"""Ranking the values of one input, and how much a VPN carries alone."""

import json
import math

import numpy as np
import pytest

import simulator
from simulator import cli
from simulator.base.errors import UsageError
from simulator.catalog import load_catalog
from simulator.study.axis import CARRIES, OVERLOADED, REFUSED, RETIRED, names_of, parse_axis, rank
from simulator.study.backup import backup, without_expressroute
from tests.study.conftest import BASE, ROOT

SKU = "gateways.hub-vpn.sku"
SHORT = {"run.horizon": "100 ms", "run.warm_up": "20 ms", "run.time_bin": "20 ms"}


@pytest.fixture(scope="module")
def ranking():
    loaded = simulator.load(BASE).with_(
        {
            **SHORT,
            "traffic.office.reply_rate": "900 Mbit/s",
            "traffic.office.packet_size": "1400 bytes",
            "sites.lyon.internet.isp.down": "2 Gbit/s",
        }
    )
    return rank(loaded, SKU)


def test_every_sku_of_the_era_is_in_the_table_once(ranking):
    assert sorted(ranking.table["value"]) == sorted(load_catalog().names("vpn-gateway-skus"))
    assert ranking.table["rank"].tolist() == list(range(1, len(ranking.table) + 1))


def test_the_first_is_the_cheapest_that_carries_the_load(ranking):
    # 900 Mbit/s: above the 650 of VpnGw1AZ, within the 1 Gbit/s of VpnGw2AZ (0.49 USD an hour).
    assert ranking.table.iloc[0]["value"] == "VpnGw2AZ"
    by_value = ranking.table.set_index("value")
    assert by_value.loc["VpnGw2AZ", "status"] == CARRIES
    assert by_value.loc["VpnGw2AZ", "headroom_ratio"] > 0
    assert by_value.loc["VpnGw1AZ", "status"] == OVERLOADED
    assert by_value.loc["VpnGw1AZ", "loss_ratio"] > 0.01
    assert "650 Mbit/s" in by_value.loc["VpnGw1AZ", "reason"]
    assert by_value.loc["VpnGw2", "status"] == RETIRED
    assert "its successor is VpnGw2AZ" in by_value.loc["VpnGw2", "reason"]


def test_what_a_rule_refuses_stays_with_its_reason():
    design = simulator.load(BASE).with_({**SHORT, "gateways.hub-vpn.mode": "active-active"})
    table = rank(design, SKU, ["VpnGw1AZ", "Basic", "VpnGw9"]).table.set_index("value")
    assert table.loc["VpnGw1AZ", "status"] == CARRIES
    assert table.loc["Basic", "status"] == REFUSED
    assert "(rule R" in table.loc["Basic", "reason"]
    assert math.isnan(table.loc["Basic", "goodput_bps"])
    assert "is not in the catalogue" in table.loc["VpnGw9", "reason"]


def test_replications_give_every_figure_an_interval_that_says_how_many():
    design = simulator.load(BASE).with_(SHORT)
    one = rank(design, SKU, ["VpnGw1AZ", "VpnGw9"])
    assert one.table.filter(regex="_(low|high)$").isna().all(axis=None)
    assert "One run of each value" in one.markdown()
    several = rank(design, SKU, ["VpnGw1AZ", "VpnGw9"], replications=4)
    row = several.table.set_index("value").loc["VpnGw1AZ"]
    runs = [simulator.run(design, replicate=k) for k in range(4)]
    latencies = [result.streams["latency_s_p95"].max() for result in runs]
    costs = [result.monthly_cost_usd for result in runs]
    # Student's t with 3 degrees of freedom: t(0.995) = 5.841; the error of a mean is s / sqrt(4).
    for name, values in {"latency_s_p95": latencies, "monthly_cost_usd": costs}.items():
        half = 5.841 * np.std(values, ddof=1) / 2
        assert row[name] == pytest.approx(np.mean(values))
        assert row[f"{name}_high"] - row[name] == pytest.approx(half, rel=1e-3)
        assert row[f"{name}_low"] == pytest.approx(max(0.0, row[name] - half), rel=1e-3)
    assert math.isnan(several.table.set_index("value").loc["VpnGw9", "goodput_bps_low"])
    text = several.markdown()
    assert "4 replications of each value" in text
    assert f"{1e3 * row['latency_s_p95']:.3g} ms +- " in text
    assert "99 % confidence by itself" in text
    assert "<td>VpnGw1AZ</td>" in several._repr_html_()
    assert repr(several).endswith(": 1 carries the load, 1 refused>")


def test_an_input_that_is_not_written_can_be_an_axis_as_well():
    design = simulator.load(COEXISTENCE)
    assert "ipsec" not in design.written.data["connections"]["nantes-vpn"]
    names = names_of(design, "connections.nantes-vpn.ipsec.encryption")
    assert "GCMAES256" in names


def test_the_era_decides_which_skus_there_are():
    design = simulator.load(BASE).with_({**SHORT, "era": "2017-12", SKU: "VpnGw1"})
    values = set(rank(design, SKU).table["value"])
    assert values == set(load_catalog("2017-12").names("vpn-gateway-skus"))
    assert not any(value.endswith("AZ") for value in values)


def test_an_axis_that_is_none_is_refused():
    design = simulator.load(BASE)
    with pytest.raises(UsageError, match="did you mean 'sku'"):
        rank(design, "gateways.hub-vpn.skus")
    with pytest.raises(UsageError, match="does not list values"):
        rank(design, "traffic.office.rate")
    assert parse_axis("a.b=all") == ("a.b", "all")
    assert parse_axis("a.b= x, y") == ("a.b", ("x", "y"))
    for text in ("a.b", "=all", "a.b="):
        with pytest.raises(UsageError, match="must be a path and values"):
            parse_axis(text)


def test_the_ranking_is_a_table_and_a_figure(ranking, capsys):
    text = ranking.markdown()
    assert "| 1 | VpnGw2AZ | carries the load |" in text
    axes = ranking.plot.ranking()
    assert axes.get_title(loc="left").startswith("VpnGw2AZ is the cheapest gateways.hub-vpn.sku")
    arguments = ["compare", str(BASE), "--axis", f"{SKU}=VpnGw1AZ,VpnGw9", "--json"]
    settings = [part for path, value in SHORT.items() for part in ("--set", f"{path}={value}")]
    assert cli.execute([*arguments, *settings]) == 0
    rows = json.loads(capsys.readouterr().out)["ranking"]
    assert [row["status"] for row in rows] == [CARRIES, REFUSED]
    assert rows[1]["goodput_bps"] is None


# ---- the VPN as a backup ---------------------------------------------------------------------

COEXISTENCE = ROOT / "scenarios" / "coexistence.yaml"
ONE_STREAM = {
    "run": {"horizon": "300 ms", "warm_up": "100 ms", "time_bin": "50 ms", "seed": 1},
    "sites.lyon.internet.isp": {"down": "1 Gbit/s", "up": "1 Gbit/s", "loss": "0 %"},
    "traffic": {
        "office": {
            "kind": "constant",
            "from": "lyon",
            "to": "hub",
            "rate": "100 Mbit/s",
            "reply_rate": "0 bit/s",
            "packet_size": "1400 bytes",
        }
    },
    "targets": {"loss": "0.1 %"},
}


def test_the_backup_carries_what_its_tunnel_carries():
    # One stream of 1400-byte packets at a steady rate through a tunnel of VpnGw1AZ: nothing is lost
    # up to its 650 Mbit/s. The buffer of 20 ms hides an excess that lasts 300 ms at most up to
    # 20 / 300 = 7 % (and the loss that is allowed), so the threshold lies a little above.
    found = backup(simulator.load(COEXISTENCE).with_(ONE_STREAM))
    assert found.is_enough
    assert found.is_bounded
    assert 6.5 <= found.scale <= 6.5 * 1.08
    assert found.loss_ratio <= 1e-3
    assert str(found).startswith("The VPN backup carries up to 6")
    assert "asked for are 100" in str(found)


def test_a_latency_target_bounds_the_backup_before_loss_does():
    quick = {**ONE_STREAM, "targets": {"loss": "0.1 %", "latency_p95": "30 ms"}}
    design = simulator.load(COEXISTENCE).with_(quick)
    found = backup(design)
    assert found.latency_s_p95 <= 0.030
    assert found.scale <= backup(simulator.load(COEXISTENCE).with_(ONE_STREAM)).scale


def test_what_asks_for_more_than_the_tunnel_is_not_enough(capsys):
    asked = [
        "--set",
        "traffic.lyon-office.reply_rate=1 Gbit/s",
        "--set",
        "run={horizon: 100 ms, warm_up: 20 ms, time_bin: 20 ms}",
    ]
    assert cli.execute(["compare", str(COEXISTENCE), "--backup", *asked]) == 1
    assert "NOT enough" in capsys.readouterr().out


def test_a_design_without_a_vpn_has_no_backup():
    alone = without_expressroute(simulator.load(COEXISTENCE))
    assert set(alone.connections) == {"lyon-vpn", "nantes-vpn"}
    design = simulator.load(ROOT / "scenarios" / "expressroute.yaml")
    with pytest.raises(UsageError, match="has no IPsec connection"):
        backup(design)
