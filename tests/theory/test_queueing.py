"""The packet level against theory: queues, TCP, policers.

A confidence interval of 99 % misses the truth in one of a hundred runs. Seeds are fixed, so a
test here passes always or never; with fresh seeds (and after any change of the draws) the six
M/D/1 and M/M/1 cases together raise a false alarm in 6 % of runs. The long forms use other
seeds and more packets: their intervals are some three times narrower.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from kernels import layout
from simulator.dataplane import DataPlane
from simulator.plan import Plan
from simulator.plan_builder import plan_from_hops
from simulator.recorder import RunLog

PS_PER_S = 1e12
CONFIDENCE = 0.99
LOADS = (0.5, 0.8, 0.95)
RATE_BPS = 1e9
BATCHES = 40


def run(plan: Plan) -> RunLog:
    plane = DataPlane(plan)
    plane.advance(plan.horizon_ps)
    return plane.finish(0.0)


def chain(rates_bps, sizes_bytes, weights, load, packets, seed=1) -> Plan:
    """Servers in a row; `load` is that of the slowest; time bins are the batches."""
    share = np.asarray(weights, float) / np.sum(weights)
    mean_bytes = float(np.dot(share, sizes_bytes))
    rate_bps = load * min(rates_bps)
    horizon_s = packets * mean_bytes * 8 / rate_bps
    names = [f"h{n}" for n in range(len(rates_bps))]
    hops = [{"name": n, "rate_bps": r} for n, r in zip(names, rates_bps, strict=True)]
    stream = {
        "name": "s",
        "route": names,
        "sizes_bytes": sizes_bytes,
        "weights": weights,
        "rate_bps": rate_bps,
    }
    return plan_from_hops(
        hops, [stream], horizon_s=horizon_s, time_bin_s=horizon_s / (BATCHES + 1), seed=seed
    )


def mean_latency_s(log: RunLog) -> tuple[float, float]:
    """Mean latency and half the width of its confidence interval, by batch means.

    Bins are the batches, the first is warm-up. The mean is a ratio (sum of latencies / packets),
    so its error is that of the batches' residuals.
    """
    counter = log.counter[1 : BATCHES + 1, 0]
    latency_s = counter["latency_sum"] * (layout.LATENCY_UNIT_PS / PS_PER_S)
    packets = counter["delivered_packets"]
    mean_s = latency_s.sum() / packets.sum()
    residual_s = (latency_s - mean_s * packets) / packets.mean()
    error_s = residual_s.std(ddof=1) / math.sqrt(len(packets))
    return mean_s, error_s * stats.t.ppf((1 + CONFIDENCE) / 2, len(packets) - 1)


def exponential_sizes(mean_bytes: float, count: int) -> tuple[list[int], list[float]]:
    """Sizes whose first two moments are those of an exponential distribution within 5e-4.

    `count` intervals of equal width; each is represented by the root of its mean square.
    """
    width = (2**16 - 1) / count / mean_bytes  # in units of the mean
    edges = width * np.arange(count + 1)
    weights = np.exp(-edges[:-1]) - np.exp(-edges[1:])

    def tail_square(x):  # integral of t^2 exp(-t) from x on
        return (x * x + 2 * x + 2) * np.exp(-x)

    square = (tail_square(edges[:-1]) - tail_square(edges[1:])) / weights
    sizes = np.maximum(np.round(np.sqrt(square) * mean_bytes), 1).astype(int)
    return [int(size) for size in sizes], [float(weight) for weight in weights]


def moments_s(sizes_bytes, weights, rate_bps) -> tuple[float, float]:
    service_s = np.asarray(sizes_bytes) * 8 / rate_bps
    share = np.asarray(weights) / np.sum(weights)
    return float(np.dot(share, service_s)), float(np.dot(share, service_s**2))


def pollaczek_khinchine_s(load, mean_s, square_s2) -> float:
    """Mean wait of M/G/1: W = rho E[S^2] / (2 E[S] (1 - rho))."""
    return load * square_s2 / (2 * mean_s * (1 - load))


# ---- queues ------------------------------------------------------------------------------------


def check_wait(sizes_bytes, weights, expected_s, load, packets, seed, narrow_ratio):
    log = run(chain([RATE_BPS], sizes_bytes, weights, load, packets, seed))
    mean_s, half_s = mean_latency_s(log)
    service_s, _ = moments_s(sizes_bytes, weights, RATE_BPS)
    wait_s = mean_s - service_s
    assert half_s < narrow_ratio * expected_s, "too few packets to tell"
    assert abs(wait_s - expected_s) < half_s, f"{wait_s / expected_s:.5f} +- {half_s / expected_s}"


@pytest.mark.parametrize("load", LOADS)
def test_mean_wait_of_m_d_1(load):
    service_s = 1000 * 8 / RATE_BPS
    expected_s = load * service_s / (2 * (1 - load))
    check_wait([1000], [1.0], expected_s, load, 20_000_000, 1, 0.02)


@pytest.mark.parametrize("load", LOADS)
def test_mean_wait_of_m_m_1(load):
    sizes, weights = exponential_sizes(4000, 512)
    service_s, square_s2 = moments_s(sizes, weights, RATE_BPS)
    expected_s = load * service_s / (1 - load)
    exact_s = pollaczek_khinchine_s(load, service_s, square_s2)
    assert exact_s == pytest.approx(expected_s, rel=5e-4)
    check_wait(sizes, weights, expected_s, load, 20_000_000, 1, 0.03)


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("load", LOADS)
def test_mean_wait_of_m_d_1_long(load, seed):
    service_s = 1000 * 8 / RATE_BPS
    expected_s = load * service_s / (2 * (1 - load))
    check_wait([1000], [1.0], expected_s, load, 100_000_000, seed, 0.01)


@pytest.mark.validate
@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("load", LOADS)
def test_mean_wait_of_m_m_1_long(load, seed):
    sizes, weights = exponential_sizes(4000, 512)
    exact_s = pollaczek_khinchine_s(load, *moments_s(sizes, weights, RATE_BPS))
    check_wait(sizes, weights, exact_s, load, 100_000_000, seed, 0.02)


def test_variance_of_the_wait_shows_in_the_percentiles():
    """M/M/1: time in system is exponential with mean S / (1 - rho)."""
    sizes, weights = exponential_sizes(4000, 512)
    load = 0.8
    plan = chain([RATE_BPS], sizes, weights, load, 8_000_000)
    log = run(plan)
    mean_s = moments_s(sizes, weights, RATE_BPS)[0] / (1 - load)
    for column, p in enumerate((0.5, 0.95, 0.99)):
        measured_s = np.median(log.latency_ps[1:BATCHES, 0, column]) / PS_PER_S
        assert measured_s == pytest.approx(-mean_s * math.log(1 - p), rel=0.03)


def test_tandem_of_fixed_services_waits_as_in_its_slowest_server():
    """Friedman (1965): with fixed services the time in a tandem does not depend on their order.

    So the whole wait is that of the slowest server alone, and every order of the three leaves
    the same departures: the same histogram, bit by bit. (Rates whose services are whole
    picoseconds.)
    """
    rates_bps = (RATE_BPS, 1.25 * RATE_BPS, 2 * RATE_BPS)
    load = 0.8
    histograms = set()
    for order in itertools.permutations(rates_bps):
        log = run(chain(order, [1000], [1.0], load, 1_000_000))
        histograms.add(log.histogram.tobytes())
    assert len(histograms) == 1
    mean_s, half_s = mean_latency_s(log)
    services_s = [1000 * 8 / rate_bps for rate_bps in rates_bps]
    expected_s = load * services_s[0] / (2 * (1 - load))
    assert abs(mean_s - sum(services_s) - expected_s) < half_s < 0.05 * expected_s


def test_overload_delivers_the_rate_and_drops_the_rest():
    """130 % of the rate into a finite buffer: throughput is the rate, loss 1 - 1/1.3."""
    hop = {"name": "h", "rate_bps": RATE_BPS, "buffer_bytes": 100_000}
    stream = {"name": "s", "route": ["h"], "sizes_bytes": [1000], "rate_bps": 1.3 * RATE_BPS}
    log = run(plan_from_hops([hop], [stream], horizon_s=10.0))
    assert log.total["delivered_bytes"][0] * 8 / 10.0 == pytest.approx(RATE_BPS, rel=1e-4)
    loss_ratio = log.dropped_packets_total.sum() / log.total["sent_packets"][0]
    assert loss_ratio == pytest.approx(1 - 1 / 1.3, rel=0.01)


def test_full_buffer_of_m_d_1_k_loses_as_the_embedded_chain_says():
    """M/D/1/K, load 0.8, room for 5 packets: loss from the chain at departures (Kleinrock)."""
    load, room = 0.8, 5
    arrivals = [math.exp(-load) * load**k / math.factorial(k) for k in range(room + 1)]
    chain_matrix = np.zeros((room, room))  # packets left behind: 0 .. room - 1
    for i in range(room):
        for j in range(max(i - 1, 0), room - 1):
            chain_matrix[i, j] = arrivals[j - max(i - 1, 0)]
        chain_matrix[i, room - 1] = 1 - chain_matrix[i, : room - 1].sum()
    system = np.vstack([chain_matrix.T - np.eye(room), np.ones(room)])
    left_behind = np.linalg.lstsq(system, np.eye(room + 1)[-1], rcond=None)[0]
    loss_ratio = 1 - 1 / (left_behind[0] + load)
    hop = {"name": "h", "rate_bps": RATE_BPS, "buffer_bytes": room * 1000}
    stream = {"name": "s", "route": ["h"], "sizes_bytes": [1000], "rate_bps": load * RATE_BPS}
    log = run(plan_from_hops([hop], [stream], horizon_s=100.0))
    measured = log.dropped_packets_total.sum() / log.total["sent_packets"][0]
    assert measured == pytest.approx(loss_ratio, rel=0.01)


# ---- policer -----------------------------------------------------------------------------------


def test_policer_passes_no_more_than_rate_and_bucket_in_any_stretch_of_time():
    """In any interval: bytes <= rate * time + bucket + one packet; and nearly that much passes."""
    burst_s, size_bytes, bin_s = 20e-3, 1500, 1e-3
    hop = {"name": "h", "rate_bps": 10e6, "policer_burst_s": burst_s}
    stream = {
        "name": "s",
        "kind": "constant",
        "route": ["h"],
        "sizes_bytes": [size_bytes],
        "rate_bps": 40e6,
        "on_mean_s": 0.05,
        "off_mean_s": 0.15,
    }
    log = run(plan_from_hops([hop], [stream], horizon_s=20.0, time_bin_s=bin_s))
    passed = np.concatenate([[0], np.cumsum(log.counter["delivered_bytes"][:, 0])])
    above = passed - 10e6 / 8 * bin_s * np.arange(len(passed))
    most_bytes = (above - np.minimum.accumulate(above)).max()
    bound_bytes = 10e6 / 8 * burst_s + size_bytes
    assert 0.9 * bound_bytes < most_bytes <= bound_bytes


# ---- TCP ---------------------------------------------------------------------------------------

MSS_BYTES, SEGMENT_BYTES, ACK_BYTES = 1348, 1400, 52


def tcp_plan(rate_bps, rtt_s, window_bytes, horizon_s, *, loss_ratio=0.0, control="cubic", **hop):
    hops = [
        {"name": "out", "rate_bps": rate_bps, **hop},
        {"name": "there", "kind": "path", "delay_s": rtt_s / 2, "loss_ratio": loss_ratio},
        {"name": "back", "kind": "path", "delay_s": rtt_s / 2},
    ]
    stream = {
        "name": "t",
        "kind": "tcp",
        "route": ["out", "there"],
        "ack_route": ["back"],
        "segment_bytes": SEGMENT_BYTES,
        "mss_bytes": MSS_BYTES,
        "ack_bytes": ACK_BYTES,
        "window_bytes": window_bytes,
        "handshake_rtt_s": rtt_s,
        "options": {"congestion_control": control},
    }
    return plan_from_hops(hops, [stream], horizon_s=horizon_s, time_bin_s=horizon_s / 4)


def goodput_bps(log: RunLog) -> float:
    """Goodput of the run without its first quarter."""
    later = log.counter["goodput_bytes"][1:, 0].sum()
    return float(later) * 8 * PS_PER_S / float(log.bin_end_ps[-1] - log.bin_start_ps[1])


@pytest.mark.parametrize("control", ["cubic", "newreno"])
@pytest.mark.parametrize("rtt_s", [0.01, 0.08])
def test_flow_with_a_small_window_sends_one_window_per_round_trip(control, rtt_s):
    segments = 40
    log = run(tcp_plan(1e9, rtt_s, segments * MSS_BYTES, 20.0, control=control))
    assert log.dropped_packets_total.sum() == 0
    assert goodput_bps(log) == pytest.approx(segments * MSS_BYTES * 8 / rtt_s, rel=0.02)


@pytest.mark.parametrize("control", ["cubic", "newreno"])
@pytest.mark.parametrize("rtt_s", [0.01, 0.08])
def test_flow_with_a_large_window_fills_the_bottleneck(control, rtt_s):
    window_bytes = 2 * 100e6 / 8 * rtt_s  # twice what is under way: the rest waits in the queue
    log = run(tcp_plan(100e6, rtt_s, window_bytes, 40.0, control=control))
    assert log.dropped_packets_total.sum() == 0
    assert goodput_bps(log) == pytest.approx(100e6 * MSS_BYTES / SEGMENT_BYTES, rel=0.02)


def windows_per_root_loss(loss_ratio, rtt_s, losses_count) -> float:
    """C in rate = C * MSS / (RTT * sqrt(p)), measured over about that many losses."""
    packets = losses_count / loss_ratio
    horizon_s = packets * rtt_s * math.sqrt(loss_ratio) / 1.3
    plan = tcp_plan(10e9, rtt_s, 1e8, horizon_s, loss_ratio=loss_ratio, control="newreno")
    segments_per_s = goodput_bps(run(plan)) / (8 * MSS_BYTES)
    return segments_per_s * rtt_s * math.sqrt(loss_ratio)


PERIODIC_LOSS = math.sqrt(3 / 2)
"""Mathis, Semke, Mahdavi, Ott (1997), with windows that grow by one segment a round trip."""
RANDOM_LOSS = 1.3098
"""Ott, Kemperman, Mathis (1996): the same window under losses that are independent and rare."""


@pytest.mark.parametrize("loss_ratio", [1e-4, 1e-3, 1e-2])
def test_newreno_over_random_loss_obeys_the_square_root_law(loss_ratio):
    """The rate is within 15 % of MSS / RTT * sqrt(3 / (2 p)) over the whole range.

    Why it is not exactly that:
    - the law is for one loss each 1/p packets; with independent losses the constant is 1.31 (+7 %);
    - the constant for delayed ACKs, sqrt(3/4), is that of a stack that counts ACKs; ours counts
      the segments they acknowledge (RFC 3465, Linux), so its window grows as with an ACK each;
    - at 1e-2 a window has 12 segments: several losses often share one reduction (raises the
      rate), but during recovery the window does not grow and halves are rounded down (lowers it
      by more: constant 1.14); some losses end in a timeout;
    - a round trip is longer than the path's: bursts and delayed ACKs wait up to some ms (at an
      RTT of 10 ms the constants are 3 % lower than at 50 ms; at 150 ms they are the same).
    """
    constant = windows_per_root_loss(loss_ratio, 0.05, 400 if loss_ratio < 1e-3 else 2000)
    assert constant == pytest.approx(PERIODIC_LOSS, rel=0.15)
    if loss_ratio == 1e-4:
        assert constant == pytest.approx(RANDOM_LOSS, rel=0.05)


@pytest.mark.validate
@pytest.mark.parametrize("rtt_s", [0.01, 0.05, 0.15])
@pytest.mark.parametrize("loss_ratio", [1e-4, 3e-4, 1e-3, 3e-3, 1e-2])
def test_newreno_over_random_loss_obeys_the_square_root_law_long(loss_ratio, rtt_s):
    constant = windows_per_root_loss(loss_ratio, rtt_s, 5000)
    assert constant == pytest.approx(PERIODIC_LOSS, rel=0.15)
    if loss_ratio == 1e-4 and rtt_s > 0.01:
        assert constant == pytest.approx(RANDOM_LOSS, rel=0.03)
