"""As `ready`, with the kernels of the flow level."""

from simulator.run import make_ready
from simulator.study import worker as worker

make_ready("flow")
