import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.base import units
from simulator.base.units import (
    DURATION,
    MONEY,
    PACKET_RATE,
    RATE,
    RATIO,
    SIZE,
    Dimension,
    UnitError,
    exact_text,
    parse_quantity,
)

DIMENSIONS = [RATE, DURATION, SIZE, RATIO, MONEY, PACKET_RATE]


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("650 Mbit/s", RATE, 650e6),
        ("1.25 Gbit/s", RATE, 1.25e9),
        ("64 kbit/s", RATE, 64e3),
        ("9 bit/s", RATE, 9.0),
        ("1e3 Mbit/s", RATE, 1e9),
        ("50 us", DURATION, 50e-6),
        ("0.3 ms", DURATION, 0.0003),
        ("45 s", DURATION, 45.0),
        ("10 min", DURATION, 600.0),
        ("7.5 h", DURATION, 27000.0),
        ("2 d", DURATION, 172800.0),
        ("1400 bytes", SIZE, 1400.0),
        ("102.4 GB", SIZE, 102.4e9),
        ("4 MiB", SIZE, 4.0 * 2**20),
        ("1 KiB", SIZE, 1024.0),
        ("0.01 %", RATIO, 0.0001),
        ("100%", RATIO, 1.0),
        ("  5 ms ", DURATION, 0.005),
        (".5 s", DURATION, 0.5),
        ("-3 s", DURATION, -3.0),
        ("2500 USD", MONEY, 2500.0),
        ("62000 packets/s", PACKET_RATE, 62000.0),
    ],
)
def test_text_becomes_the_nearest_float_in_si_units(
    text: str, dimension: Dimension, value: float
) -> None:
    assert parse_quantity(text, dimension) == value


@pytest.mark.parametrize(
    ("text", "dimension", "fix"),
    [
        ("650 Mbps", RATE, "'650 Mbit/s'"),
        ("650 Mb", RATE, "'650 Mbit/s'"),
        ("650 Mb/s", RATE, "'650 Mbit/s'"),
        ("650 mbit/s", RATE, "'650 Mbit/s'"),
        ("5 MB/s", RATE, "'40 Mbit/s'"),
        ("5 bytes/s", RATE, "'40 bit/s'"),
        ("2 Tbit/s", RATE, "'2000 Gbit/s'"),
        ("650", RATE, "'650 Mbit/s'"),
        ("650 parsec", RATE, "'650 Mbit/s'"),
        ("1,000 Mbit/s", RATE, "'650 Mbit/s'"),
        ("1_000 Mbit/s", RATE, "'650 Mbit/s'"),
        ("", RATE, "'650 Mbit/s'"),
        ("fast", RATE, "'650 Mbit/s'"),
        ("45 sec", DURATION, "'45 s'"),
        ("45 S", DURATION, "'45 s'"),
        ("5 m", DURATION, "'5 min'"),
        ("1 week", DURATION, "'7 d'"),
        ("500 ns", DURATION, "'0.5 us'"),
        ("3 \u00b5s", DURATION, "'3 us'"),
        ("45", DURATION, "'45 s'"),
        ("1400", SIZE, "'1400 bytes'"),
        ("1400 B", SIZE, "'1400 bytes'"),
        ("4 MIB", SIZE, "'4 MiB'"),
        ("1 TB", SIZE, "'1000 GB'"),
        ("0.1", RATIO, "'0.1 %'"),
        ("0.1 percent", RATIO, "'0.1 %'"),
        ("100 ppm", RATIO, "'0.01 %'"),
        ("2500 $", MONEY, "'2500 USD'"),
        ("62 kpps", PACKET_RATE, "'62000 packets/s'"),
        ("1e9999 parsec", DURATION, "'45 s'"),
    ],
)
def test_a_wrong_or_missing_unit_is_refused_with_what_to_write(
    text: str, dimension: Dimension, fix: str
) -> None:
    with pytest.raises(UnitError) as caught:
        parse_quantity(text, dimension)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "text", ["nan s", "NaN", "inf s", "-inf s", "Infinity s", ".nan", "1e9999 s", "9e999 d"]
)
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="finite"):
        parse_quantity(text, DURATION)


def test_a_very_long_text_is_refused_unread() -> None:
    with pytest.raises(UnitError, match="at most 60 characters"):
        parse_quantity("1" * 5000 + " s", DURATION)


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
@given(value=st.floats(min_value=0, max_value=1e18))
def test_exact_text_reads_back_as_the_same_float(dimension: Dimension, value: float) -> None:
    assert parse_quantity(exact_text(value, dimension), dimension) == value


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda d: d.name)
@given(number=st.decimals(min_value=0, max_value=10**6, places=3), data=st.data())
def test_any_unit_survives_the_round_trip(
    dimension: Dimension, number: object, data: st.DataObject
) -> None:
    unit = data.draw(st.sampled_from(sorted(dimension.factors)))
    value = parse_quantity(f"{number} {unit}", dimension)
    assert parse_quantity(exact_text(value, dimension), dimension) == value


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for dimension in DIMENSIONS:
        try:
            value = parse_quantity(text, dimension)
        except UnitError:
            continue
        assert math.isfinite(value)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (650e6, RATE, "650 Mbit/s"),
        (0.0, RATE, "0 bit/s"),
        (0.0003, DURATION, "300 us"),
        (0.0, DURATION, "0 s"),
        (27000.0, DURATION, "7.5 h"),
        (60.0, DURATION, "60 s"),
        (1400.0, SIZE, "1400 bytes"),
        (4.0 * 2**20, SIZE, "4 MiB"),
        (0.0001, RATIO, "0.01 %"),
        (0.0, RATIO, "0 %"),
    ],
)
def test_exact_text_is_what_a_person_would_write(
    value: float, dimension: Dimension, text: str
) -> None:
    assert exact_text(value, dimension) == text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.format_rate(650e6), "650 Mbit/s"),
        (units.format_rate(98_765_432), "98.77 Mbit/s"),
        (units.format_rate(0), "0 bit/s"),
        (units.format_rate(999.99e6), "1 Gbit/s"),
        (units.format_rate(math.inf), "unlimited"),
        (units.format_rate(math.nan), "unknown"),
        (units.format_duration(0.0125), "12.5 ms"),
        (units.format_duration(90), "90 s"),
        (units.format_duration(70.5), "70.5 s"),
        (units.format_duration(600), "10 min"),
        (units.format_duration(27000), "7.5 h"),
        (units.format_duration(0), "0 s"),
        (units.format_duration(math.inf), "unlimited"),
        (units.format_size(4 * 2**20), "4.194 MB"),
        (units.format_ratio(0.0001), "0.01 %"),
        (units.format_ratio(0), "0 %"),
        (units.format_money(2500), "2500.00 USD"),
        (units.format_packet_rate(62000), "62000 packets/s"),
    ],
)
def test_formatting_for_people(shown: str, text: str) -> None:
    assert shown == text
