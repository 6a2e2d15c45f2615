"""What only the whole scenario shows: names that refer to nothing, and things that make no sense.

References are looked up in the tree as written, so that a dangling name is reported beside wrong
units elsewhere. Checks of sense need values and use every entry that is valid in itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Network
from itertools import chain
from types import ModuleType

from simulator.base.errors import Problem
from simulator.base.registry import Registry
from simulator.catalog import Catalog
from simulator.scenario.checks import (
    addresses,
    clients,
    connections,
    expressroute,
    faults,
    gateways,
    internet,
    nat,
    paths,
    run,
    sites,
    traffic,
)
from simulator.scenario.checks.dangling import Dangling, named_in_fields
from simulator.scenario.model import Scenario
from simulator.scenario.parts import Parts
from simulator.scenario.source import Source

#: Each with `sense(parts, tree, catalog)` and some of `references(data, found)`,
#: `warnings(scenario, tree, catalog)` and `seen_by_platform(site, prefix, parts)`.
CHECKS: Registry[ModuleType] = Registry("subject of checks")
CHECKS.add("run", run)
CHECKS.add("gateways", gateways)
CHECKS.add("sites", sites)
CHECKS.add("connections", connections)
CHECKS.add("paths", paths)
CHECKS.add("traffic", traffic)
CHECKS.add("expressroute", expressroute)
CHECKS.add("clients", clients)
CHECKS.add("nat", nat)
CHECKS.add("internet", internet)
CHECKS.add("faults", faults)


def references(tree: Source) -> list[Problem]:
    """Every name that refers to nothing, with the nearest that exists."""
    found = Dangling(tree)
    named_in_fields(tree.data, found)
    for _, subject in CHECKS.items():
        if hasattr(subject, "references"):
            subject.references(tree.data, found)
    return found.problems


def sense(parts: Parts, tree: Source, catalog: Catalog) -> list[Problem]:
    """Everything that is well written and still cannot be."""
    return [
        *addresses.sense(parts, tree, _seen_by_platform),
        *chain.from_iterable(subject.sense(parts, tree, catalog) for _, subject in CHECKS.items()),
    ]


def _seen_by_platform(site: str, prefix: IPv4Network, parts: Parts) -> Collection[IPv4Network]:
    """The addresses in which the platform sees a prefix of a site."""
    for _, subject in CHECKS.items():
        if hasattr(subject, "seen_by_platform"):
            seen: Collection[IPv4Network] = subject.seen_by_platform(site, prefix, parts)
            return seen
    return (prefix,)


def warnings(scenario: Scenario, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """What is accepted and should still be known."""
    for _, subject in CHECKS.items():
        if hasattr(subject, "warnings"):
            yield from subject.warnings(scenario, tree, catalog)
