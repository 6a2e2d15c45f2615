"""Whether clients would be cheaper or dearer as connections of their own, from the price rows."""

from pathlib import Path

import pytest

from simulator.planner import build
from simulator.scenario import load

FILE = Path(__file__).parents[2] / "scenarios" / "point-to-site-and-site-to-site.yaml"
GATEWAY = {
    "gateways.hub-vpn.sku": "VpnGw2AZ",
    "gateways.hub-vpn.p2s.protocols": ["ikev2"],
    "clients.teleworkers.protocol": "ikev2",
}


def note(count, overrides=None):
    changes = {**GATEWAY, **(overrides or {}), "clients.teleworkers.count": count}
    found = [w for w in build(load(FILE, changes)).meta["warnings"] if "as point-to-site" in w]
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("count", "words", "as_clients", "as_sites"),
    [
        # One site is there: 5 more connections are among the 10 included, as 5 clients of 128 are.
        (5, "cost as much", "0 USD", "as as connections of their own, 0 USD"),
        # 12 + 1 - 10 = 3 connections x 0.015 USD x 730 h = 32.85 USD.
        (12, "cost less", "0 USD", "32.85 USD"),
        # 240 - 128 = 112 clients x 0.01 x 730 = 817.6; 231 connections x 0.015 x 730 = 2529.45.
        (240, "cost less", "817.6 USD", "2529 USD"),
    ],
)
def test_the_note_compares_what_exceeds_the_included(count, words, as_clients, as_sites):
    text = note(count)
    assert f"its {count} clients {words} as point-to-site, {as_clients} in a month" in text
    assert as_sites in text


def test_the_note_says_when_the_gateway_takes_no_so_many_connections():
    assert "VpnGw2AZ takes 30 connections" in note(30)
    assert "takes 30 connections" not in note(29)


def test_a_gateway_without_sites_has_no_note():
    bare = Path(__file__).parents[2] / "scenarios" / "point-to-site.yaml"
    assert not any("as point-to-site" in w for w in build(load(bare)).meta["warnings"])
