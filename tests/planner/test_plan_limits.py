"""What a plan refuses, and the first packet of a source."""

import math

import pytest

from simulator.draws import exponential, unit
from simulator.plan import FORWARD, Encapsulation
from simulator.plan_builder import PlanBuilder


def builder():
    return PlanBuilder(scenario="t", seed=1, horizon_s=1.0, time_bin_s=1.0)


def with_packets(size_bytes, around):
    one = builder()
    hops = [one.path("a", delay_s=1e-3), one.server("b", rate_bps=1e9)]
    stream = one.stream("s", "constant", "x", "y")
    route = one.route(stream, FORWARD, hops, [Encapsulation(), around])
    one.constant(stream, FORWARD, [route], sizes_bytes=[size_bytes], weights=None, rate_bps=1e6)
    return one.build()


def test_a_packet_that_does_not_fit_its_record_is_refused():
    around = Encapsulation(fixed_bytes=36, trailer_bytes=18, align_bytes=4)
    # 65,478 + 18 aligned to 4, and 36 before it, are 65,532 bytes; one byte more is one word more.
    assert with_packets(65_478, around).max_packet_bytes == 65_478
    with pytest.raises(ValueError, match="65536 bytes on the wire; at most 65535"):
        with_packets(65_479, around)
    with pytest.raises(ValueError, match="65592 bytes on the wire; at most 65535"):
        with_packets(65_535, around)


@pytest.mark.parametrize("key", [1, 2**40 + 7, 2**63 + 12345, 2**64 - 1])
def test_the_first_gap_is_exponential_to_the_last_bits(key):
    assert exponential(key) == pytest.approx(-math.log(unit(key)), rel=1e-15)
