"""Traffic sources, one file each; a stream is one entry of a scenario's `traffic`."""

from __future__ import annotations

from types import ModuleType

from simulator.base.registry import Registry
from simulator.traffic import bulk_tcp, constant, poisson, transfers, voice

#: Kind of traffic -> its module, with `Schema` and what the planner asks of it.
TRAFFIC: Registry[ModuleType] = Registry("kind of traffic")
TRAFFIC.add("poisson", poisson)
TRAFFIC.add("constant", constant)
TRAFFIC.add("voice", voice)
TRAFFIC.add("bulk-tcp", bulk_tcp)
TRAFFIC.add("transfers", transfers)
