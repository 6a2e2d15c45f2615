"""Device failure: an on-premises VPN device dies with its SAs, and boots again."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.recorder import Detection
from simulator.states import DOWN, FAILED, UP, state_of, strike, tell

if TYPE_CHECKING:
    from simulator.world import World

FIRST_HOP_TIMER = "T101"


class DeviceFailure(fields.FaultSchema):
    """A device of a site stops; `duration` is the time until it has booted again."""

    kind: Literal["device-failure"] = Field(description="kind of fault")
    site: Name = Field(description="site of the device")
    device: Name = Field(description="device that dies")


Schema = DeviceFailure


def plan_rows(name: str, failure: DeviceFailure, draft: Draft) -> None:
    """Add the fault: the device's tunnels lose its SAs, and the site stops sending to it."""
    device = draft.devices[failure.site][failure.device].name
    process = partial(
        strike,
        kind=failure.kind,
        subject=device,
        state=device,
        value=FAILED,
        at_s=failure.at,
        end_s=failure.end_s,
    )
    draft.process(f"fault {name}", process)
    noticed_s = draft.catalog.timer(FIRST_HOP_TIMER).value or 0.0
    if not draft.number(f"first hop of {device}"):
        draft.process(f"first hop of {device}", partial(watch, device=device, noticed_s=noticed_s))


def watch(world: World, device: str, noticed_s: float) -> Generator[Any, Any, None]:
    """The site's first-hop redundancy: it leaves a dead device, and takes it back at once."""
    cause = 0

    def leave() -> None:
        fact = Detection(FIRST_HOP_TIMER, "device")
        detail = "the site sends over its other devices"
        event_id = world.event("first-hop-switch", device, cause, detail, fact)
        tell(world, f"{device}@site", DOWN, event_id)

    timer = world.timer(leave)
    while True:
        cause = yield world.signal(device).wait()
        if state_of(world, device) == UP:
            timer.stop()
            tell(world, f"{device}@site", UP, cause)
        else:
            timer.restart(noticed_s)
