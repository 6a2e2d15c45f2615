"""Login storm: the clients of a group lose their sessions, and all dial at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import Name, Ratio, defaulted
from simulator.draft import Draft
from simulator.states import storm_signal

if TYPE_CHECKING:
    from simulator.world import World


class P2sLoginStorm(fields.BriefFaultSchema):
    """Clients are disconnected and dial again at the same moment; over when all are back."""

    kind: Literal["p2s-login-storm"] = Field(description="kind of fault")
    clients: Name = Field(description="group of clients")
    share: Ratio = defaulted("100 %", "share of the clients that dial")

    @model_validator(mode="after")
    def _ends_by_itself(self) -> P2sLoginStorm:
        if self.is_given:
            fields.refuse("a storm is over when all are back", "remove duration and until")
        return self


Schema = P2sLoginStorm
TARGET = ("clients",)


def plan_rows(name: str, fault: P2sLoginStorm, draft: Draft) -> None:
    """Add the fault: the group's clients queue at their gateway."""
    draft.process(f"fault {name}", partial(storm, fault=fault))


def storm(world: World, fault: P2sLoginStorm) -> Generator[Any, Any, None]:
    """Tell the group; it says when it is over."""
    yield world.wait(fault.at)
    event_id = world.event(fault.kind, fault.clients)
    world.signal(storm_signal(fault.clients)).fire((event_id, fault.share))


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """Every group of clients."""
    yield from ({"clients": name} for name in scenario.clients)
