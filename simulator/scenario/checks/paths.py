"""What measured paths need to make sense: one for each access and VNet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from simulator.base.errors import Problem
from simulator.catalog import Catalog
from simulator.scenario.checks.dangling import Dangling
from simulator.scenario.checks.written import as_map, as_text, entries
from simulator.scenario.source import Source

if TYPE_CHECKING:
    from simulator.scenario.parts import Parts


def references(data: Mapping[str, Any], found: Dangling) -> None:
    """Internet accesses that the site of a path does not have."""
    sites = as_map(data.get("sites"))
    for name, path in entries(data.get("paths")):
        providers = as_map(as_map(sites.get(as_text(path.get("from")))).get("internet"))
        if providers:
            found.look(("paths", name, "internet"), path, providers, "internet access")


def sense(parts: Parts, tree: Source, catalog: Catalog) -> Iterator[Problem]:
    """Two paths between the same ends."""
    covered: dict[tuple[str, str, str], str] = {}
    for name, path in parts.paths.items():
        site = parts.sites.get(path.from_)
        providers = [path.internet] if path.internet else list(site.internet) if site else []
        for provider in providers:
            other = covered.setdefault((path.from_, path.to, provider), name)
            if other != name:
                rule = f"path {other} is from {path.from_} to {path.to} by {provider} too"
                yield tree.problem(("paths", name), rule, "remove one of the two", key=True)
