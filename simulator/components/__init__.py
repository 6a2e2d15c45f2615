"""Components, one file each: what a design is made of."""

from __future__ import annotations

from types import ModuleType

from simulator.base.registry import Registry
from simulator.components import connection, gateway, path, site, vnet

#: Kind of component -> its module, with `Schema` and what planner and engine ask of it.
COMPONENTS: Registry[ModuleType] = Registry("kind of component")
COMPONENTS.add("vnet", vnet)
COMPONENTS.add("site", site)
COMPONENTS.add("vpn", gateway)
COMPONENTS.add("ipsec", connection)
COMPONENTS.add("path", path)
