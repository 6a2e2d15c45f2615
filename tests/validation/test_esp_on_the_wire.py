"""Bytes and packets on the wire, against a Linux kernel's tunnels: every row must be exact."""

from tests.validation.validate_esp import MODELS, esp_rows

ROWS_PER_ENCAPSULATION = 49


def test_every_measured_encapsulation_has_a_model():
    counts = esp_rows()["encapsulation"].value_counts()
    assert set(counts.index) == set(MODELS)
    assert set(counts) == {ROWS_PER_ENCAPSULATION}


def test_bytes_and_packets_match_in_every_row():
    rows = esp_rows()
    wrong = rows[~rows["is_exact"]]
    assert wrong.empty, wrong.to_string()
