"""The records that the packet kernels share: their fields, units and meaning.

Everything the data plane knows is in arrays of these records. Names and unit text do not exist
below this line: a hop, a stream or a node is its index. Time is int64 picoseconds.

    hop      what a packet passes: a server (finite rate, queue) or a path (delay, jitter, loss)
    step     one place of a route; a route is a run of consecutive steps that ends at an endpoint
    node     what the sweep visits in one window: a segment of fused hops, a TCP sender or receiver
    group    nodes connected with one another; each group is swept by windows of its own length
    packet   a packet under way, or waiting at the head of a node
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import numpy as np

as_int64: Final = cast(Callable[[Any], int], np.int64)
"""A whole number of 64 bits: in a compiled kernel what it says, for a type checker an `int`."""

as_index: Final = cast(Callable[[Any], int], np.uint64)
"""A place in an array that is never negative.

Numba then leaves out the code for negative ones (which count from the end): five instructions of
the twenty that it takes to move a packet. Only for use in the brackets: in sums with other whole
numbers an unsigned one becomes a float.
"""

NEVER_PS: Final = np.iinfo(np.int64).max // 2
"""An instant after every horizon (2**62 ps are 53 days); sums of two still fit an int64."""

UNLIMITED: Final = np.int64(1) << np.int64(50)
"""A buffer, in bytes, or a wait, in picoseconds (19 minutes), that nothing fills."""

BLOCK: Final = 512
"""Packets that pass a segment together, in columns: they fit the first-level cache."""

FLOW_SHIFT: Final = 40
"""A packet's id is `flow << FLOW_SHIFT | transmission`: ties in time are decided by it."""
TRANSMISSION_MASK: Final = (1 << FLOW_SHIFT) - 1
SEQUENCE_MASK: Final = (1 << 32) - 1
"""A TCP segment's transmission number is `retransmission << 32 | sequence number`."""

WIRE_SHIFT: Final = 16
"""A packet's `size` holds inner IP bytes in its low 16 bits, bytes on the wire above them."""
SIZE_MASK: Final = (1 << WIRE_SHIFT) - 1

PER_BYTE_SHIFT: Final = 16
"""`per_byte` of a server is fixed point: picoseconds per byte times 2**16."""

# Reasons for a drop: columns of the drop counters.
BUFFER_FULL: Final = 0
RANDOM_LOSS: Final = 1
POLICED: Final = 2
PATH_DOWN: Final = 3
MTU_EXCEEDED: Final = 4
NO_ROUTE: Final = 5
REASONS: Final = ("buffer_full", "random_loss", "policed", "path_down", "mtu_exceeded", "no_route")

# Hop kinds and flags.
SERVER: Final = 0
PATH: Final = 1
METER_INNER: Final = 0
METER_WIRE: Final = WIRE_SHIFT
"""Value of `meter_shift`: which half of `size` a server meters."""

HOP: Final = np.dtype(
    [
        # what it is; the control plane may change these at an epoch
        ("per_packet_ps", np.int64),
        ("per_byte", np.int64),  # fixed point, see PER_BYTE_SHIFT
        ("min_service_ps", np.int64),
        ("buffer_bytes", np.int64),  # queue and the packet in service; UNLIMITED = no such limit
        ("max_wait_ps", np.int64),  # longest wait that is accepted; of a policer: its burst
        ("delay_ps", np.int64),  # added after service; of a path: what every packet takes
        ("loss_threshold", np.uint64),  # a packet is lost if its draw is below; 0 = none
        ("loss_key", np.uint64),
        ("bad_loss_threshold", np.uint64),  # Gilbert-Elliott: loss in the bad state
        ("good_mean_ps", np.int64),  # mean stay in the good state; 0 = Bernoulli loss
        ("bad_mean_ps", np.int64),
        ("jitter_key", np.uint64),
        ("jitter_interval_ps", np.int64),  # one value per interval; 0 = no jitter
        ("jitter_row", np.int32),  # row of the table of quantiles
        ("kind", np.int32),
        ("meter_shift", np.int32),
        ("is_policer", np.int32),
        ("is_up", np.int32),
        ("may_reorder", np.int32),
    ],
    align=True,
)

HOP_STATE: Final = np.dtype(
    [
        ("free_at_ps", np.int64),  # when the server has done all it accepted
        ("sure_wait_ps", np.int64),  # up to this wait a packet fits for sure
        ("last_out_ps", np.int64),  # path: latest arrival so far at its far end
        ("keeps_order", np.int64),  # path: its delay has varied, nobody may overtake
        ("jitter_until_ps", np.int64),
        ("jitter_value_ps", np.int64),
        ("switch_at_ps", np.int64),  # Gilbert-Elliott: end of the present stay
        ("stay_count", np.int64),
        ("is_bad", np.int64),
        # ring of what has left the hop and not yet reached the next place
        ("link_off", np.int64),
        ("link_mask", np.int64),
        ("link_head", np.int64),
        ("link_tail", np.int64),
        # ring of departures, for buffers limited in bytes
        ("queue_off", np.int64),
        ("queue_mask", np.int64),
        ("queue_head", np.int64),
        ("queue_tail", np.int64),
        ("queue_bytes", np.int64),
        # counters since the start
        ("served_packets", np.int64),
        ("served_bytes", np.int64),  # as metered by this hop
        ("busy_ps", np.int64),
        ("wait_max_ps", np.int64),
        ("fragments", np.int64),
    ],
    align=True,
)

STEP: Final = np.dtype(
    [
        ("node", np.int32),  # where the packet arrives; -1 = delivered (open loop)
        ("direction", np.int32),  # row of the counters: one stream in one direction
        ("recode", np.int32),  # 1: the bytes on the wire change here, see the next four
        ("fixed_bytes", np.int32),  # wire = fixed + align(inner + trailer); see kernels.esp
        ("trailer_bytes", np.int32),
        ("align_bytes", np.int32),
        ("mtu_bytes", np.int32),  # of the outer packet; 0 = none
        ("may_fragment", np.int32),
    ],
    align=True,
)

NODE: Final = np.dtype(
    [
        ("kind", np.int32),
        ("is_direct", np.int32),  # one source and nothing upstream: no inbox needed
        ("hop_begin", np.int32),  # segment: range of `segment_hop`
        ("hop_end", np.int32),
        ("source_begin", np.int32),  # segment: open-loop sources that start at its head
        ("source_end", np.int32),
        ("flow_begin", np.int32),  # TCP endpoint: range of flows
        ("flow_end", np.int32),
        ("early_outlet", np.int32),  # feeds a node earlier in the sweep: drained first
        ("only_next", np.int32),  # the one node that follows, with nothing to recode; -1 = no
        ("all_end", np.int32),  # whatever leaves the segment is delivered
        ("only_direction", np.int32),  # ... or arrives at an endpoint: counted in this row; -1 = no
        ("inbox_off", np.int64),
        ("inbox_room", np.int64),
        ("inbox_count", np.int64),
        ("inbox_taken", np.int64),  # TCP endpoint: how many of them are dealt with
        ("may_be_mixed", np.int64),  # its packets may not be in order: `kernels.inbox` looks
        ("timer_ps", np.int64),  # not later than the earliest timer of its flows
        ("pending_flow", np.int32),  # sender: flow that was stopped by a full inbox; -1 = none
        ("pending_ps", np.int64),
    ],
    align=True,
)
SEGMENT_NODE: Final = 0
SENDER_NODE: Final = 1
RECEIVER_NODE: Final = 2

GROUP: Final = np.dtype(
    [
        ("node_begin", np.int32),
        ("node_end", np.int32),
        ("has_early_outlet", np.int32),  # some of its nodes have
        ("window_ps", np.int64),
    ],
    align=True,
)

PACKET: Final = np.dtype(
    [
        ("time_ps", np.int64),  # arrival at the next place
        ("sent_ps", np.int64),
        ("id", np.int64),
        ("size", np.uint32),
        ("step", np.int32),
    ],
    align=True,
)

COLUMNS: Final = np.dtype(
    [
        ("time_ps", np.int64, (BLOCK,)),  # arrival at the present place, ascending with the id
        ("out_ps", np.int64, (BLOCK,)),  # arrival at the next place, until it is sure
        ("sent_ps", np.int64, (BLOCK,)),
        ("id", np.int64, (BLOCK,)),
        ("size", np.uint32, (BLOCK,)),
        ("step", np.int32, (BLOCK,)),
        ("gap_ps", np.float64, (BLOCK,)),  # sources: time to the next packet
        ("bits", np.uint64, (BLOCK,)),
        ("lost_id", np.int64, (BLOCK,)),  # what a hop has taken out of the block
        ("lost_size", np.uint32, (BLOCK,)),
    ],
    align=True,
)
"""A block of packets on its way through a segment, as columns of one record."""

KEY: Final = np.dtype([("time_ps", np.int64), ("row", np.int64)], align=True)
"""Place of a packet in the order of an inbox."""

FLOW_INFO: Final = np.dtype(
    [
        ("key", np.uint64),  # of its random numbers
        ("direction", np.int32),  # row of the counters
        ("tcp_flow", np.int32),  # TCP flow that sends it or that it acknowledges; -1 = open loop
    ],
    align=True,
)
"""What the flow number of a packet's id leads to."""

DEPARTURE: Final = np.dtype([("time_ps", np.int64), ("bytes", np.int64)], align=True)

SOURCE: Final = np.dtype(
    [
        ("kind", np.int32),
        ("step", np.int32),  # first step of the present route; -1 = no route
        ("direction", np.int32),
        ("size_begin", np.int32),  # range of the size tables
        ("size_count", np.int32),
        ("is_fixed_size", np.int32),
        ("flow", np.int64),
        ("gap_key", np.uint64),
        ("size_key", np.uint64),
        ("stay_key", np.uint64),
        ("mean_gap_ps", np.float64),  # Poisson: mean; constant and voice: the exact gap
        ("next_ps", np.int64),  # when the next packet leaves
        ("stop_ps", np.int64),  # no packet at or after this instant
        ("count", np.int64),  # packets so far: the transmission number
        ("stay_until_ps", np.int64),  # on-off: end of the present talk spurt
        ("stay_count", np.int64),
        ("on_mean_ps", np.float64),  # on-off: mean talk spurt and silence; 0 = always on
        ("off_mean_ps", np.float64),
        ("header_bytes", np.int64),  # inner bytes that are not payload
    ],
    align=True,
)
POISSON: Final = 0
CONSTANT: Final = 1

SIZE: Final = np.dtype(
    [
        ("accept", np.float64),  # alias method: keep this size if the fraction is below
        ("size_bytes", np.int32),
        ("alias_bytes", np.int32),
    ],
    align=True,
)

ENDPOINT: Final = np.dtype(
    [
        ("data_flow", np.int64),
        ("ack_flow", np.int64),
        ("data_step", np.int32),  # first step of the present route of data; -1 = no route
        ("ack_step", np.int32),
        ("data_direction", np.int32),
        ("ack_direction", np.int32),
    ],
    align=True,
)
"""Where a TCP flow touches the network; its own state is a record of `kernels.tcp`."""

COUNTER: Final = np.dtype(
    [
        ("sent_packets", np.int64),
        ("sent_bytes", np.int64),
        ("delivered_packets", np.int64),
        ("delivered_bytes", np.int64),
        ("goodput_bytes", np.int64),
        ("latency_sum", np.int64),  # in LATENCY_UNIT_PS, modulo 2**64
    ],
    align=True,
)
LATENCY_SHIFT: Final = 6
LATENCY_UNIT_PS: Final = 1 << LATENCY_SHIFT
"""Latencies are summed in units of 64 ps: exact sums, and 1e11 packets of a second still fit."""

# What `kernels.packets.advance` returns; with the index of what is full in `progress`.
DONE: Final = 0
GROW_LINK: Final = 1
GROW_QUEUE: Final = 2
GROW_INBOX: Final = 3
GROW_ACKS: Final = 4
PAUSED: Final = 5
BROKEN_ORDER: Final = 6

PROGRESS: Final = np.dtype(
    [
        ("group", np.int64),  # where the sweep goes on
        ("time_ps", np.int64),
        ("full_idx", np.int64),  # hop, node or TCP flow whose array is full
        ("packets", np.int64),  # packets at nodes that this call has seen
    ],
    align=True,
)


class Network(NamedTuple):
    """Every array the sweep touches.

    Read only: group, node fields that describe, segment_hop, steps, size_table, jitter_table,
    flow_info. Everything else is state that a call leaves for the next one, or scratch.
    """

    group: Any
    """GROUP."""
    node: Any
    """NODE."""
    segment_hop: Any
    """int32: hops of the segments, one after another."""
    steps: Any
    """STEP."""
    hop: Any
    """HOP."""
    state: Any
    """HOP_STATE, one for each hop."""
    link: Any
    """PACKET: pool of the link rings."""
    departure: Any
    """DEPARTURE: pool of the queue rings."""
    inbox: Any
    """PACKET: pool of the inboxes."""
    source: Any
    """SOURCE."""
    size_table: Any
    """SIZE."""
    jitter_table: Any
    """int64[rows, quantiles] ps."""
    flow_info: Any
    """FLOW_INFO, by the flow number of ids."""
    endpoint: Any
    """ENDPOINT, one for each TCP flow."""
    tcp_flow: Any
    """kernels.tcp.FLOW."""
    tcp_segment: Any
    """kernels.tcp.SEGMENT: pool."""
    tcp_ack: Any
    """kernels.tcp.ACK: pool."""
    counter: Any
    """COUNTER[directions]."""
    header_bytes: Any
    """int64[directions]: inner bytes of an open-loop packet that are no payload."""
    histogram: Any
    """int32[directions, BUCKETS]: latencies of the open time bin."""
    dropped_packets: Any
    """int64[directions, REASONS]."""
    dropped_bytes: Any
    """int64[directions, REASONS]."""
    hop_dropped: Any
    """int64[hops, REASONS]."""
    progress: Any
    """PROGRESS[1]."""
    columns: Any
    """COLUMNS[1], scratch."""
    key: Any
    """KEY[largest inbox], scratch."""
    bucket: Any
    """int32[2 x largest inbox + 2], scratch."""
