"""Imported by the process from which workers are forked: kernels are loaded once, for all."""

from simulator.run import make_ready
from simulator.study import worker as worker

make_ready()
