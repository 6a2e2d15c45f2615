"""Every block that one subject adds to the section of another, as `KIND.FIELD`."""

from __future__ import annotations

from simulator.base.blocks import Blocks
from simulator.nat import OF_CONNECTION, OF_GATEWAY
from simulator.point_to_site import gateway_block

BLOCKS = Blocks("block")
BLOCKS.add("vpn.nat", OF_GATEWAY)
BLOCKS.add("ipsec.nat", OF_CONNECTION)
BLOCKS.add("vpn.p2s", gateway_block.OF_GATEWAY)
