"""What a BGP session is, for the control process that lets it live, and names of its states."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.catalog import Default
from simulator.sessions.bfd import BfdSpec
from simulator.sessions.path import PathSpec
from simulator.sessions.talk import Rto


@dataclass(frozen=True)
class BgpEnd:
    """One end of a session."""

    name: str
    """What people call it: `CE`, `MSEE`, `device`, `gateway`."""
    keepalive_s: float
    hold_s: float
    """What it offers; see `BgpSpec.negotiates`."""
    connect_retry_s: float | None
    """Time between its attempts to connect; None: it only answers."""
    hold_timer: str
    """Row of the catalogue that its hold time comes from."""
    host: str = ""
    """State of what speaks; if it does not work the session of this end is gone, untold."""
    interface: str = ""
    """State of its own interface: if it goes down the end knows at once."""


@dataclass(frozen=True)
class BgpSpec:
    """A session for its control process."""

    name: str
    ends: tuple[BgpEnd, BgpEnd]
    path: PathSpec
    negotiates: bool
    """Whether both use the lower hold time of the two, and a third of it for keepalives at most;
    else each uses its own."""
    jitter_low: float
    """Least factor of keepalive and connect-retry intervals; 1 is no jitter."""
    rto: Rto
    interface_down: Default
    """Time until an end knows that its own interface is down."""
    is_in_phase: bool = False
    """Whether both ends send their keepalives at the same instants."""
    bfd: BfdSpec | None = None

    def hold_s(self, end: int) -> float:
        """The hold time that an end uses."""
        if self.negotiates:
            return min(other.hold_s for other in self.ends)
        return self.ends[end].hold_s

    def keepalive_s(self, end: int) -> float:
        """The longest time between its keepalives."""
        own_s = self.ends[end].keepalive_s
        return min(own_s, self.hold_s(end) / 3) if self.negotiates else own_s


def view(session: str, end: str) -> str:
    """Name of the state that says whether an end has the session: its routes follow."""
    return f"{session}@{end} bgp"


def admin(session: str, end: str) -> str:
    """Name of the state that forbids an end the session while it is DOWN."""
    return f"{session}@{end} admin"


def reset(session: str, end: str) -> str:
    """Name of the signal at which an end closes the session, and may open it again."""
    return f"{session}@{end} reset"
