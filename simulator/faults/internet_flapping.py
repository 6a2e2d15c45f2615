"""Internet flapping: an access line of a site goes down and comes back again and again."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from simulator.base import fields
from simulator.base.fields import Name, PositiveDuration, Ratio
from simulator.catalog import load_catalog
from simulator.draft import AccessLine, Draft
from simulator.states import DOWN, REPAIR, fail, restore

if TYPE_CHECKING:
    from simulator.world import World


class InternetFlapping(fields.FaultSchema):
    """One provider's line of a site carries nothing for a share of each period."""

    kind: Literal["internet-flapping"] = Field(description="kind of fault")
    site: Name = Field(description="site whose line flaps")
    internet: Name = Field(description="provider whose line flaps")
    period: PositiveDuration = Field(description="time from one loss of the line to the next")
    down_share: Annotated[Ratio, Field(gt=0, lt=1)] = Field(
        description="share of each period in which the line is down, at its beginning"
    )
    count: int | None = Field(
        default=None, ge=1, description="number of periods; by default as long as the fault lasts"
    )

    @property
    def end_s(self) -> float:
        """Time of repair in seconds: the end of the last period or of the fault, the earlier."""
        periods_s = math.inf if self.count is None else self.count * self.period
        return min(super().end_s, self.at + periods_s)


Schema = InternetFlapping


def plan_rows(name: str, fault: InternetFlapping, draft: Draft) -> None:
    """Add the fault: both directions of the access line stop and start."""
    line = draft.lines[f"{fault.site}.{fault.internet}"]
    draft.process(f"fault {name}", partial(flap, line=line, fault=fault))


def flap(world: World, line: AccessLine, fault: InternetFlapping) -> Generator[Any, Any, None]:
    """Take the line down and up; a repair in the middle of a loss brings it up at once."""
    yield world.wait(fault.at)
    fault_id = world.event(fault.kind, line.name)
    hops = (line.up, line.down)
    down_s = fault.period * fault.down_share
    for number in itertools.count():
        left_s = fault.end_s - fault.at - number * fault.period
        if left_s <= 0.0:
            break
        down_id = world.event("link-down", line.name, fault_id, f"loss {number + 1}")
        fail(world, line.name, DOWN, hops, down_id)
        yield world.wait(min(down_s, left_s))
        up_id = world.event("link-up", line.name, down_id)
        restore(world, line.name, hops, up_id)
        if left_s > down_s:
            yield world.wait(min(fault.period, left_s) - down_s)
    world.event(REPAIR, line.name, fault_id, f"end of {fault.kind}")


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every access line, down for a part of each period."""
    default = load_catalog(scenario.era).default
    values = {name: default(f"whatif.flapping_{name}").text for name in ("period", "down_share")}
    for name, site in scenario.sites.items():
        yield from ({"site": name, "internet": provider, **values} for provider in site.internet)
