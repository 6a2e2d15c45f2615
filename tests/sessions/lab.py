"""Two routers with one link between them: a world for sessions alone."""

from simulator.catalog import Default, Origin
from simulator.plan import FORWARD, RETURN, to_ps
from simulator.sessions import bgp, bgp_spec, routes
from simulator.sessions.bfd import BfdEnd, BfdSpec
from simulator.sessions.path import PathSpec
from simulator.sessions.talk import Rto
from tests.planner.fake_world import FakeWorld

THERE, BACK = 0, 1
"""Hops of the link, A to B and B to A."""
LINK = "link"


def fixed(value_s, name="test", low=None, high=None, distribution="fixed"):
    """A row as the catalogue has them."""
    return Default(
        origin=Origin(table="t", key=name, source="s", as_of="2026", status="estimate"),
        id=name, name=name, number=value_s, word="", unit="s",
        min=low, max=high, distribution=distribution,
    )  # fmt: skip


def session(
    *,
    timers=((60, 180), (60, 180)),
    bfd=(),
    negotiates=True,
    jitter=1.0,
    bfd_jitter=0.75,
    in_phase=False,
    delay_s=0.005,
    retry_s=(60, 60),
    hosts=("", ""),
    interface_s=0.0,
    states=(),
):
    """A session between A and B over one link; `bfd` holds (interval, multiplier) of each end."""
    ends = tuple(
        bgp_spec.BgpEnd(
            name=name,
            keepalive_s=keepalive_s,
            hold_s=hold_s,
            connect_retry_s=retry,
            hold_timer="bgp.hold",
            host=host,
            interface=f"{LINK}@{name} interface",
        )
        for name, (keepalive_s, hold_s), retry, host in zip(
            "AB", timers, retry_s, hosts, strict=True
        )
    )
    return bgp_spec.BgpSpec(
        name=LINK,
        ends=ends,
        path=PathSpec({FORWARD: (THERE,), RETURN: (BACK,)}, states, (delay_s, delay_s)),
        negotiates=negotiates,
        jitter_low=jitter,
        rto=Rto(0.2 + 2 * delay_s, 120.0),
        interface_down=fixed(interface_s, "interface"),
        is_in_phase=in_phase,
        bfd=BfdSpec(tuple(BfdEnd(*end) for end in bfd), bfd_jitter) if bfd else None,
    )


def run(spec, *scripts, horizon_s=1000.0, seed=1, replicate=0, routes_of=()):
    """Run a session, the routes of these ends and scripts; returns the world."""
    world = FakeWorld(horizon_s, seed, replicate)
    processes = [("session", lambda w: bgp.process(w, spec))]
    for end in routes_of:
        route = routes.RouteSpec(
            name=f"route of {end}",
            sessions=(bgp_spec.view(LINK, end),),
            withdraw=fixed(2.0, "withdraw"),
            install=fixed(3.0, "install"),
            advertise_s=1.0,
        )
        processes.append(("route", lambda w, route=route: routes.process(w, route)))
    return world.run([*processes, *(("script", script) for script in scripts)])


def cut(hops, at_s, end_s=None):
    """A script that takes hops down, and up again."""

    def script(world):
        yield world.wait(at_s)
        cause = world.event("cut", LINK)
        world.link_down(hops, cause)
        if end_s is not None:
            yield world.wait(end_s - at_s)
            world.link_up(hops, world.event("repair", LINK, cause))

    return script


def lossy(hops, ratio, at_s=0.0, end_s=None):
    """A script that lets hops lose packets for a while."""

    def script(world):
        yield world.wait(at_s)
        cause = world.event("loss", LINK)
        for hop in hops:
            world.set_path(hop, loss_ratio=ratio, cause_event_id=cause)
        if end_s is not None:
            yield world.wait(end_s - at_s)
            for hop in hops:
                world.set_path(hop, loss_ratio=0.0, cause_event_id=cause)

    return script


def downs(world):
    """Time and event at which each end lost the session, first loss of each."""
    found = {}
    for event in world.of_kind("bgp-down"):
        found.setdefault(event.detail[0], event)
    return found


def is_idle(world):
    """Whether no timer waits for anything after the end of the run."""
    return all(entry[0] <= to_ps(world.horizon_s) for entry in world.env._queue)
