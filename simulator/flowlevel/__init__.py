"""The flow level: hours and days, with shares of hops in place of packets.

plane        the data plane: time, changes, and what rates follow from them
calendar     when sources begin and end, and by which factor of the day they send
traffic      from a plan to open-loop lanes and to classes of TCP flows
lanes        which hops the packets of a route use, and how long they keep each one busy
serving      what open-loop sources send, hops serve and drop
connections  TCP in a run: rates, outages, what flows leave behind
stalls       how it stands with senders whose route is cut
shares       how many flows each class has and which rate they get, by the kernels
round_trips  how long, varying and lossy the ways of each class are
tcp          what congestion control reaches on a path, and what it does to a full queue
queues       how long the queue of a hop is that TCP fills
two_ways     TCP that fills both directions of a line
latency      how long packets wait, on average and in percentiles
outcomes     what TCP flows leave in the ledger, and times of transfers
ledger       where bytes and packets went, bin by bin
handover     how bulk flows stand at an instant, for packets that take over
"""

from __future__ import annotations

from simulator.flowlevel.plane import FlowPlane

__all__ = ["FlowPlane"]
