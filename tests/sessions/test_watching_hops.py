"""What sessions see of the data plane: hops that go down, lose packets or have full queues."""

import pytest

from simulator import engine
from simulator.plan import FORWARD
from simulator.plan_builder import plan_from_hops

SEEN: list = []


def plan(*, rate_bps, horizon_s=6.0, script=None):
    """A server of 1 Mbit/s and a path; a process notes what watching tells."""
    made = plan_from_hops(
        [
            {"name": "narrow", "rate_bps": 1e6, "buffer_bytes": 10_000},
            {"name": "line", "kind": "path", "delay_s": 1e-3},
        ],
        [{"name": "s", "route": ["narrow", "line"], "sizes_bytes": [1000], "rate_bps": rate_bps}],
        horizon_s=horizon_s,
        time_bin_s=1.0,
    )
    processes = [("watch", watch)]
    if script:
        processes.append(("script", script))
    object.__setattr__(made, "processes", tuple(processes))
    return made


def watch(world):
    hops = [world.hop(name, FORWARD) for name in ("narrow", "line")]
    while True:
        yield world.env.any_of([world.watch(h).wait() for h in hops])
        SEEN.append((world.now_s, round(world.loss_ratio(hops), 3), world.is_up(hops)))


@pytest.fixture(autouse=True)
def forget():
    SEEN.clear()


def test_a_good_way_tells_nothing():
    engine.run(plan(rate_bps=0.5e6))
    assert SEEN == []


def test_a_full_queue_tells_its_share_of_refusals_at_the_end_of_each_bin():
    engine.run(plan(rate_bps=4e6))
    assert [time_s for time_s, _, _ in SEEN][:3] == [1.0, 2.0, 3.0]
    # Four times what the server carries: three of four packets are refused.
    assert all(ratio == pytest.approx(0.75, abs=0.05) for _, ratio, _ in SEEN[1:])


def test_down_up_and_loss_are_told_at_once():
    def script(world):
        line = world.hop("line", FORWARD)
        yield world.wait(1.5)
        world.link_down((line,))
        yield world.wait(1.0)
        world.link_up((line,))
        yield world.wait(0.25)
        world.set_path(line, loss_ratio=0.1)
        world.set_path(line, delay_s=2e-3)  # no loss: nothing to tell

    engine.run(plan(rate_bps=0.5e6, script=script))
    assert SEEN == [(1.5, 0.0, False), (2.5, 0.0, True), (2.75, 0.1, True)]
