"""Tables against sums done by hand over the arrays of the log."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import histogram, layout
from simulator import metrics
from simulator.metrics import accounting, hops, latency, rates
from simulator.metrics.events import merged
from simulator.plan import PS_PER_S
from simulator.plan_builder import PlanBuilder
from tests.result.handmade import DOWN, HORIZON_S, SILENT, build_plan


def row_of(frame, stream, direction="forward"):
    rows = frame[(frame["stream"] == stream) & (frame["direction"] == direction)]
    assert len(rows) == 1
    return rows.iloc[0]


def direction_of(plan, stream, direction="forward"):
    for d, info in enumerate(plan.directions):
        if (plan.streams[info.stream_idx].name, info.direction) == (stream, direction):
            return d
    raise AssertionError


@pytest.mark.parametrize("table", metrics.TABLES)
def test_every_table_has_the_columns_of_its_dictionary(plan, log, table):
    frame = metrics.compute(table, plan, log)
    assert list(frame.columns) == [column.name for column in metrics.columns(table)]
    assert len(set(frame.columns)) == len(frame.columns)
    assert all(column.text.endswith(".") for column in metrics.columns(table))


UNIT_OF_SUFFIX = {"bps": "bit/s", "s": "s", "bytes": "bytes", "ratio": "1"}


@pytest.mark.parametrize("table", metrics.TABLES)
def test_the_unit_of_a_column_is_in_its_name(table):
    for column in metrics.columns(table):
        words = column.name.split("_")
        for suffix, unit in UNIT_OF_SUFFIX.items():
            if column.unit == unit:
                assert suffix in words, column.name


def test_a_metric_must_return_the_columns_that_it_promises(plan, log, monkeypatch):
    broken = replace(rates.METRICS[0], columns=rates.METRICS[0].columns[1:])
    monkeypatch.setattr(metrics, "METRICS", (broken,))
    with pytest.raises(ValueError, match="a metric of streams returned"):
        metrics.compute("streams", plan, log)


def test_a_direction_without_packets_has_no_row(plan, log):
    for table in ("streams", "timeline"):
        frame = metrics.compute(table, plan, log)
        assert "idle" not in set(frame["stream"])
    assert len(metrics.compute("streams", plan, log)) == 6
    assert len(metrics.compute("timeline", plan, log)) == 6 * HORIZON_S


def test_packets_and_bytes_are_those_of_the_log(plan, log):
    streams = metrics.compute("streams", plan, log)
    d = direction_of(plan, "office", "return")
    row = row_of(streams, "office", "return")
    assert row["packets_sent"] == log.total["sent_packets"][d]
    assert row["packets_dropped_path_down"] == log.dropped_packets_total[d, layout.PATH_DOWN]
    for unit in ("packets", "bytes"):
        gone = row[f"{unit}_delivered"] + row[f"{unit}_dropped"] + row[f"{unit}_in_flight"]
        assert row[f"{unit}_sent"] == gone
    timeline = metrics.compute("timeline", plan, log)
    sums = timeline.groupby(["stream", "direction"])[["packets_sent", "bytes_dropped"]].sum()
    assert sums.loc[("office", "return"), "packets_sent"] == row["packets_sent"]
    assert sums.loc[("office", "return"), "bytes_dropped"] == row["bytes_dropped"]


def test_the_timeline_lists_one_direction_after_the_other_bin_by_bin(plan, log):
    timeline = metrics.compute("timeline", plan, log)
    d = direction_of(plan, "voice", "return")
    part = timeline[(timeline["stream"] == "voice") & (timeline["direction"] == "return")]
    assert part["time_s"].tolist() == list(range(HORIZON_S))
    assert part["packets_sent"].tolist() == log.counter["sent_packets"][:, d].tolist()
    assert part["is_warm_up"].tolist() == [b < 5 for b in range(HORIZON_S)]


def test_rates_are_means_after_warm_up(plan, log):
    row = row_of(metrics.compute("streams", plan, log), "office")
    d = direction_of(plan, "office")
    counted_s = HORIZON_S - 5
    assert row["offered_bps"] == pytest.approx(
        8 * log.counter["sent_bytes"][5:, d].sum() / counted_s
    )
    assert row["goodput_bps"] == pytest.approx(
        8 * log.counter["goodput_bytes"][5:, d].sum() / counted_s
    )


def test_a_warm_up_within_a_bin_ends_with_that_bin(log):
    plan = build_plan(warm_up_s=4.5)
    timeline = metrics.compute("timeline", plan, log)
    assert timeline["is_warm_up"].sum() == 5 * 6


def test_rates_are_unknown_if_all_is_warm_up(log):
    plan = build_plan(warm_up_s=float(HORIZON_S))
    streams = metrics.compute("streams", plan, log)
    assert streams[["offered_bps", "throughput_bps", "latency_s_mean"]].isna().all().all()
    assert streams["loss_ratio"].notna().all()


def test_loss_of_the_run_and_of_a_bin(plan, log):
    row = row_of(metrics.compute("streams", plan, log), "voice")
    assert row["loss_ratio"] == row["packets_dropped"] / row["packets_sent"]
    timeline = metrics.compute("timeline", plan, log)
    part = timeline[(timeline["stream"] == "voice") & (timeline["direction"] == "forward")]
    assert (part["loss_ratio"].iloc[list(DOWN)] == 1.0).all()
    tcp = timeline[(timeline["stream"] == "backup") & (timeline["direction"] == "forward")]
    assert tcp["loss_ratio"].iloc[SILENT[0] : SILENT[-1] + 1].isna().all()


def test_an_outage_lasts_until_a_packet_arrives_even_if_the_sender_backs_off(plan, log):
    streams = metrics.compute("streams", plan, log)
    assert row_of(streams, "voice")["outage_s_max"] == len(DOWN)
    assert row_of(streams, "backup")["outage_s_max"] == SILENT[-1] + 1 - DOWN[0]


def outage_of(sent, dropped, delivered):
    counter = np.zeros((len(sent), 1), layout.COUNTER)
    counter["sent_packets"][:, 0] = sent
    counter["delivered_packets"][:, 0] = delivered
    drops = np.zeros((len(sent), 1, len(layout.REASONS)), np.int64)
    drops[:, 0, 0] = dropped
    edges = np.arange(len(sent) + 1) * PS_PER_S

    class Log:
        bin_start_ps, bin_end_ps = edges[:-1], edges[1:]
        dropped_packets = drops

    Log.counter = counter
    return rates.outage_s_max(Log, 0)


@pytest.mark.parametrize(
    ("sent", "dropped", "delivered", "outage_s"),
    [
        ([5, 5, 5, 5], [0, 0, 0, 0], [5, 5, 5, 5], 0.0),
        ([5, 5, 5, 5], [0, 5, 5, 0], [5, 0, 0, 5], 2.0),
        # two outages: the longer one
        ([5, 5, 5, 5, 5, 5], [0, 5, 0, 5, 5, 0], [5, 0, 5, 0, 0, 5], 2.0),
        # nothing arrives because nothing was sent: the stream starts late and stops early
        ([0, 0, 5, 5, 0, 0], [0] * 6, [0, 0, 5, 5, 0, 0], 0.0),
        # rare packets that all arrive: silence without a drop is no outage
        ([1, 0, 0, 1], [0] * 4, [1, 0, 0, 1], 0.0),
        # down to the end
        ([5, 5, 5, 5], [0, 0, 5, 5], [5, 5, 0, 0], 2.0),
    ],
)
def test_outages_by_hand(sent, dropped, delivered, outage_s):
    assert outage_of(sent, dropped, delivered) == outage_s


def test_latency_of_the_run_leaves_warm_up_out(plan, log):
    row = row_of(metrics.compute("streams", plan, log), "office")
    d = direction_of(plan, "office")
    units = log.counter["latency_sum"][5:, d].astype(np.uint64)
    packets = log.counter["delivered_packets"][5:, d].sum()
    mean_s = float(units.sum()) * layout.LATENCY_UNIT_PS / PS_PER_S / packets
    assert row["latency_s_mean"] == pytest.approx(mean_s, rel=1e-12)
    assert row["latency_s_p50"] < row["latency_s_p95"] < row["latency_s_p99"]
    assert row["latency_s_p99"] < row["latency_s_p999"]
    # the mean from the exact sums and the one from the histogram agree to its resolution
    edges_s = latency.bucket_edges_s()
    middles_s = (edges_s[:-1] + edges_s[1:]) / 2
    from_buckets_s = (middles_s * log.histogram[d]).sum() / log.histogram[d].sum()
    assert row["latency_s_mean"] == pytest.approx(from_buckets_s, rel=0.01)


def test_latency_sums_survive_a_counter_that_ran_over(log):
    counter = log.counter.copy()
    counter["latency_sum"][0, 0] = -1  # 2**64 - 1 as the difference of two wrapped counters
    sums_s = latency.latency_sum_s(replace(log, counter=counter))
    assert sums_s[0, 0] == pytest.approx(2.0**64 * layout.LATENCY_UNIT_PS / PS_PER_S)


def test_bucket_edges_are_those_of_the_kernel():
    edges_ps = latency.bucket_edges_s() * PS_PER_S
    for bucket in (0, 1, 63, 64, 1000, histogram.BUCKETS - 1):
        middle_ps = int((edges_ps[bucket] + edges_ps[bucket + 1]) / 2)
        bits = np.array(middle_ps, np.float64).view(np.int64)
        assert (bits >> histogram.SHIFT) - histogram.FIRST_BUCKET == bucket


def test_names_of_percentiles():
    names = [latency.percentile_column(p) for p in (0.5, 0.9, 0.95, 0.99, 0.999, 0.9999)]
    assert [n.removeprefix("latency_s_") for n in names] == [
        "p50", "p90", "p95", "p99", "p999", "p9999",
    ]  # fmt: skip


def test_the_cdf_counts_every_packet_once(plan, log):
    cdf = metrics.compute("latency_cdf", plan, log)
    sums = cdf.groupby(["stream", "direction"])["packets"].sum()
    assert sums.loc[("voice", "forward")] == log.histogram[direction_of(plan, "voice")].sum()
    part = cdf[(cdf["stream"] == "voice") & (cdf["direction"] == "forward")]
    assert part["cdf_ratio"].is_monotonic_increasing
    assert part["cdf_ratio"].iloc[-1] == 1.0
    assert (cdf["latency_s_high"] > cdf["latency_s_low"]).all()


def test_tcp_counts_only_where_there_is_tcp(plan, log):
    streams = metrics.compute("streams", plan, log)
    assert row_of(streams, "backup")["flows"] == 4
    assert streams.loc[streams["stream"] == "office", "rto_count"].isna().all()


def test_a_log_without_any_tcp_has_the_same_columns(plan, log):
    streams = metrics.compute("streams", plan, replace(log, tcp={}))
    assert streams["flows"].isna().all()


def test_no_bin_is_more_than_full_and_no_work_is_lost(log):
    busy = np.array([[5, 0], [30, 10], [0, 10], [0, 10]], np.int64) * PS_PER_S // 10
    edges = np.arange(5) * PS_PER_S
    some = replace(log, hop_busy_ps=busy, bin_start_ps=edges[:-1], bin_end_ps=edges[1:])
    worked = hops.worked_ps(some) * 10 // PS_PER_S
    assert worked[:, 0].tolist() == [5, 10, 10, 10]
    assert worked[:, 1].tolist() == [0, 10, 10, 10]


def test_hops(plan, log):
    frame = metrics.compute("hops", plan, log)
    isp = frame.iloc[0]
    worked_s = hops.worked_ps(log)[5:, 0].sum() / PS_PER_S
    assert isp["utilisation_ratio"] == pytest.approx(worked_s / (HORIZON_S - 5))
    assert isp["queue_bytes_max"] == pytest.approx(0.02 * 500e6 / 8)
    path = frame[frame["kind"] == "path"].iloc[0]
    assert np.isnan(path["utilisation_ratio"])
    assert np.isnan(path["queue_bytes_max"])
    assert np.isnan(path["rate_bps"])
    over_time = metrics.compute("hop_timeline", plan, log)
    assert set(over_time["hop"]) == set(frame.loc[frame["kind"] == "server", "hop"])
    assert len(over_time) == 4 * HORIZON_S


def test_a_hop_that_only_limits_packets_has_no_queue_in_bytes(log):
    builder = PlanBuilder(scenario="x", seed=1, horizon_s=60, time_bin_s=1.0)
    builder.server("pps", packets_per_s=1e5)
    plan = builder.build()
    one = replace(
        log, hop=log.hop[:1], hop_dropped=log.hop_dropped[:1], hop_busy_ps=log.hop_busy_ps[:, :1]
    )
    assert np.isnan(metrics.compute("hops", plan, one)["queue_bytes_max"].iloc[0])


def test_events_without_cause_have_none(plan, log):
    events = metrics.compute("events", plan, log)
    assert events["cause_event_id"].isna().tolist() == [True, *[False] * 5]
    assert events["time_s"].iloc[2] == 34.5
    none = metrics.compute("events", plan, replace(log, events=()))
    assert none.empty
    assert list(none.columns) == list(events.columns)


def test_events_of_one_instant_and_reason_are_joined_for_people(plan, log):
    first = log.events[2]
    more = [replace(first, event_id=7), replace(first, event_id=8, subject="x", detail="y")]
    other = replace(first, event_id=9, cause_event_id=1)
    events = metrics.compute("events", plan, replace(log, events=(*log.events, *more, other)))
    joined = merged(events)
    assert joined["event_id"].tolist() == [1, 2, 3, 4, 5, 6, 9]
    assert joined["subject"][2] == "lyon-vpn, x"
    assert joined["detail"][2] == ""
    assert joined["detail"][6] == first.detail
    assert list(joined.columns) == list(events.columns)
    assert len(merged(events.iloc[:0])) == 0


def test_imbalances_name_both_sides(plan, log, spoiled):
    assert accounting.imbalances(plan, log) == []
    (text,) = accounting.imbalances(plan, spoiled)
    sent = int(log.total["sent_packets"][0])
    assert text.startswith(f"stream backup, forward: {sent} packets sent, but ")
    assert text.endswith(f"= {sent - 1}")


def test_the_bins_must_hold_all_packets(plan, log):
    counter = log.counter.copy()
    counter["sent_bytes"][3, 0] += 1400
    (text,) = accounting.imbalances(plan, replace(log, counter=counter))
    assert "the time bins hold" in text


def test_every_reason_for_a_drop_is_explained():
    assert set(accounting.REASON_TEXT) == set(layout.REASONS)
