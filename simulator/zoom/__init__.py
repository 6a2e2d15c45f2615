"""Zoom: stretches of a run at flow level that are simulated at packet level.

windows   which stretches, from the faults that happened or from given times
course    the flow level, which takes notes: how things stand when packets begin, and what changes
seed      from how things stand to a packet plane in the middle of its work
packets   one stretch at packet level
splice    the logs of both levels in one
"""

from __future__ import annotations

from simulator.zoom.course import Course, NotingPlane, NoTraffic
from simulator.zoom.packets import Packets, simulate
from simulator.zoom.splice import spliced
from simulator.zoom.windows import Windows, find_windows

__all__ = [
    "Course",
    "NoTraffic",
    "NotingPlane",
    "Packets",
    "Windows",
    "find_windows",
    "simulate",
    "spliced",
]
