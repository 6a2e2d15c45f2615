"""BGP session reset: an operator clears BGP sessions; they come back after a connect retry."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from simulator.base import fields
from simulator.base.fields import Name
from simulator.draft import Draft
from simulator.sessions import bgp_spec
from simulator.states import REPAIR

if TYPE_CHECKING:
    from simulator.world import World


class BgpSessionReset(fields.FaultSchema):
    """The BGP sessions of a circuit, of one of its links or of a connection end and open again."""

    kind: Literal["bgp-session-reset"] = Field(description="kind of fault")
    circuit: Name | None = Field(default=None, description="circuit whose sessions are reset")
    link: Literal["primary", "secondary"] | None = Field(
        default=None, description="the one link of the circuit whose session is reset"
    )
    connection: Name | None = Field(
        default=None, description="connection with routing: bgp whose sessions are reset"
    )

    @model_validator(mode="after")
    def _one_target(self) -> BgpSessionReset:
        if (self.circuit is None) == (self.connection is None):
            fields.refuse(
                "resets the sessions of a circuit or of a connection",
                "write circuit: NAME, or connection: NAME",
            )
        if self.link is not None and self.circuit is None:
            fields.refuse("a link is one of a circuit", "write circuit: NAME beside it")
        if self.duration is not None or self.until is not None:
            fields.refuse(
                "a reset has no duration: the sessions come back by themselves",
                "remove duration and until",
            )
        return self

    @property
    def end_s(self) -> float:
        """It is over at once; what follows is the sessions' own time."""
        return self.at


Schema = BgpSessionReset

TARGET = ("circuit", "link", "connection")


def plan_rows(name: str, fault: BgpSessionReset, draft: Draft) -> None:
    """Add the fault: the customer's end of each session closes it."""
    sessions = draft.bgp_sessions[fault.circuit or fault.connection or ""]
    if fault.link is not None:
        wanted = f"{fault.circuit}.{fault.link}"
        sessions = [session for session in sessions if session[0] == wanted]
    subject = ".".join(filter(None, (fault.circuit, fault.link, fault.connection)))
    process = partial(strike, kind=fault.kind, subject=subject, sessions=sessions, at_s=fault.at)
    draft.process(f"fault {name}", process)


def strike(
    world: World, kind: str, subject: str, sessions: Sequence[tuple[str, str]], at_s: float
) -> Generator[Any, Any, None]:
    """Reset the sessions; each is a name and the end that closes."""
    yield world.wait(at_s)
    event_id = world.event(kind, subject)
    for session, end in sessions:
        world.signal(bgp_spec.reset(session, end)).fire(event_id)
    world.event(REPAIR, subject, event_id, f"end of {kind}")


def admitted(scenario: Any) -> Iterator[Mapping[str, Any]]:
    """The sessions of every circuit, and of every VPN connection that has any."""
    yield from ({"circuit": name} for name in scenario.section("circuits"))
    for name, connection in scenario.connections.items():
        if connection.type == "ipsec" and connection.routing == "bgp":
            yield {"connection": name}
