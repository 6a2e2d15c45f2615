"""Internet brown-out: an access line of a site works badly: it loses, delays or throttles."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import Delay, Name, Rate, Ratio, defaulted
from simulator.catalog import load_catalog
from simulator.draft import Draft
from simulator.states import REPAIR

if TYPE_CHECKING:
    from simulator.world import World


class InternetBrownout(fields.FaultSchema):
    """One provider's line of a site loses, delays or throttles packets in both directions."""

    kind: Literal["internet-brownout"] = Field(description="kind of fault")
    site: Name = Field(description="site whose line suffers")
    internet: Name = Field(description="provider whose line suffers")
    loss: Ratio = defaulted("0 %", "loss of packets in each direction, beside the usual one")
    added_delay: Delay = defaulted("0 s", "delay one way, beside the usual one")
    rate: Rate | None = Field(
        default=None, description="rate that is left in each direction; unchanged by default"
    )

    @model_validator(mode="after")
    def _does_something(self) -> InternetBrownout:
        if self.loss == 0.0 and self.added_delay == 0.0 and self.rate is None:
            raise ValueError("changes nothing; give loss, added_delay or rate")
        return self


Schema = InternetBrownout


@dataclass(frozen=True)
class Line:
    """The hops of an access line with their values in good times."""

    name: str
    paths: tuple[tuple[int, float, float], ...]
    """Hop, delay (s) and loss ratio of each direction of each way over the internet."""
    servers: tuple[tuple[int, float], ...]
    """Hop and rate (bits/s)."""


def plan_rows(name: str, fault: InternetBrownout, draft: Draft) -> None:
    """Add the fault: it changes the ways over the internet that start at the line, and its rate."""
    access = draft.lines[f"{fault.site}.{fault.internet}"]
    ways = [
        way for way_name, way in draft.ways.items() if way_name.startswith(f"{access.name}.wan-")
    ]
    line = Line(
        access.name,
        tuple((hop, *draft.path_values[hop]) for way in ways for hop in (way.up, way.down)),
        tuple(
            (hop, draft.ceilings[hop][0].rate_bps or math.inf) for hop in (access.up, access.down)
        ),
    )
    draft.process(f"fault {name}", partial(brown_out, line=line, fault=fault))


def brown_out(world: World, line: Line, fault: InternetBrownout) -> Generator[Any, Any, None]:
    """Make the line bad, later good again; brown-outs of one line at a time add up."""
    yield world.wait(fault.at)
    event_id = world.event(fault.kind, line.name)
    active = world.state.setdefault(f"{line.name} brown-outs", [])
    active.append(fault)
    _apply(world, line, active, event_id)
    if math.isinf(fault.end_s):
        return
    yield world.wait(fault.end_s - fault.at)
    repair_id = world.event(REPAIR, line.name, event_id, f"end of {fault.kind}")
    active.remove(fault)
    _apply(world, line, active, repair_id)


def _apply(world: World, line: Line, active: list[InternetBrownout], cause: int) -> None:
    """Losses are independent, delays add up, the lowest rate holds."""
    passes_ratio = math.prod(1 - fault.loss for fault in active)
    added_s = sum(fault.added_delay for fault in active)
    for hop, delay_s, loss_ratio in line.paths:
        loss = 1 - (1 - loss_ratio) * passes_ratio
        world.set_path(hop, delay_s=delay_s + added_s, loss_ratio=loss, cause_event_id=cause)
    for hop, usual_bps in line.servers:
        rate_bps = min([usual_bps, *(fault.rate for fault in active if fault.rate is not None)])
        world.set_capacity(hop, rate_bps=rate_bps, cause_event_id=cause)


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every access line, with a loss that no keepalive of BGP notices."""
    loss = load_catalog(scenario.era).default("whatif.brownout_loss").text
    for name, site in scenario.sites.items():
        for provider in site.internet:
            yield {"site": name, "internet": provider, "loss": loss}
