"""Years of control events: memory and time stay small because nothing happens while all is well."""

import copy
import resource
import time

import pytest

from simulator.planner import build
from simulator.scenario import load
from tests.planner.fake_world import FakeWorld
from tests.planner.test_expressroute_failover import BFD, DESIGN, merge

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S
CIRCUIT = ("bgp paris", "edge paris", "route lyon-er", "path lyon-er", "routing")


def operate(years, faults_per_year):
    """Run the design for so long, its circuit struck again and again; returns the world."""
    made = merge(
        copy.deepcopy(DESIGN),
        {
            "run": {"horizon": "7 d"},
            "circuits": {"paris": {"bfd": BFD, "bgp": {"keepalive_jitter": "random"}}},
            "faults": [
                {
                    "kind": "expressroute-link-down",
                    "circuit": "paris",
                    "link": "primary",
                    "at": "0 s",
                }
            ],
        },
    )
    plan = build(load(made))
    # Tunnels rekey every few hours; here it is the circuit that must be quiet.
    processes = [(name, p) for name, p in plan.processes if name.startswith(CIRCUIT)]
    hops = [h for h, hop in enumerate(plan.hops) if hop.name == "paris.primary"]
    world = FakeWorld(years * YEAR_S)
    count = round(years * faults_per_year)

    def strike(world):
        for number in range(count):
            yield world.wait(YEAR_S / faults_per_year - 300.0)
            cause = world.event("link-down", "paris.primary", 0, str(number))
            world.link_down(hops, cause)
            yield world.wait(300.0)
            world.link_up(hops, world.event("link-up", "paris.primary", cause))

    return world.run([*processes, ("strikes", strike)])


def test_months_with_a_fault_each_day_leave_nothing_behind():
    world = operate(0.2, 365)
    assert len(world.of_kind("bgp-established")) == 72  # of the last one after the end
    # Heap: what waits for signals lives outside; no dead timeouts pile up.
    assert len(world.env._queue) < 10


def test_a_quiet_decade_has_no_event():
    world = operate(10, 0.1)
    assert len(world.events) < 20


@pytest.mark.validate
def test_ten_years_with_a_fault_each_day_take_a_minute_and_a_gibibyte():
    begin_s = time.process_time()
    world = operate(10, 365)
    assert time.process_time() - begin_s < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2**20  # KiB
    assert len(world.of_kind("bgp-established")) == 3_649
