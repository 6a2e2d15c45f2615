"""What a tunnel is, for the control process that lets it live."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.catalog import Catalog, Default
from simulator.ipsec.rekey import Lifetimes
from simulator.states import agreement_state, restart_state


@dataclass(frozen=True)
class Retransmission:
    """Waits of IKE for an answer: `first_s`, then each `factor` times longer, `tries` times."""

    first_s: float
    factor: float
    tries: int

    @classmethod
    def of(cls, catalog: Catalog) -> Retransmission:
        """The waits of a usual implementation."""
        return cls(
            first_s=catalog.default("ike.retransmit_timeout").value,
            factor=catalog.default("ike.retransmit_base").value,
            tries=int(catalog.default("ike.retransmit_tries").value),
        )

    def wait_s(self, attempts_count: int) -> float:
        """Wait after an attempt; after the last repetition the exchange begins anew."""
        return float(self.first_s * self.factor ** (attempts_count % (self.tries + 1)))


@dataclass(frozen=True)
class EndSpec:
    """One end of a tunnel."""

    name: str
    """`gateway` or `device`."""
    dpd_interval_s: float
    dpd_retries_count: int
    may_initiate: bool
    timer: str = "connection.dpd.gateway"
    """The row of the catalogue that its DPD timeout comes from."""
    host: str = ""
    """State of the thing that holds the SAs of this end: if it fails they are gone."""


@dataclass(frozen=True)
class TunnelSpec:
    """A tunnel for its control process; names are those of states and signals."""

    name: str
    connection: str
    """Its own state: a fault of it stops packets at the tunnel itself."""
    ends: tuple[EndSpec, ...]
    depends_on: tuple[str, ...]
    """What else must work for a message to get from one end to the other."""
    hops: tuple[int, ...]
    """Hops that pass nothing while an end lacks its SA."""
    messages_s: float
    """Round trips of an IKE set-up."""
    exchanges_count: int
    """Exchanges of an IKE set-up, each of which a lossy way can break."""
    processing: Default
    """What the gateway computes in a set-up."""
    retransmission: Retransmission
    lifetimes: Lifetimes
    lossy_hops: tuple[int, ...] = ()
    """Hops that a message and its answer pass, and on which they may be lost."""

    @property
    def silenced_by(self) -> str:
        """State of IKE and DPD of the connection: its fault stops messages, not packets."""
        return f"{self.connection} ike"

    @property
    def restarted_by(self) -> str:
        """State of a reset of the connection."""
        return restart_state(self.connection)

    @property
    def agreed_by(self) -> str:
        """State of what the ends agree on: while it is down no SA can be made."""
        return agreement_state(self.connection)


def view(tunnel: str, end: str) -> str:
    """Name of the state that says whether an end believes in its tunnel: its routing follows."""
    return f"{tunnel}@{end}"


def passes_state(tunnel: str) -> str:
    """Name of the state that says whether packets get from end to end in a tunnel."""
    return f"{tunnel} passes"
