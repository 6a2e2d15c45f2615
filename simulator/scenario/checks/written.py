"""The tree of a scenario as it was written: what is of another kind than it should be is empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def as_map(value: Any) -> dict[str, Any]:
    """The map that was written, an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The list that was written, an empty one if it is something else."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The text that was written, an empty one if it is something else."""
    return value if isinstance(value, str) else ""


def entries(section: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and maps of a section, whatever else was written."""
    for name, entry in as_map(section).items():
        if isinstance(entry, dict):
            yield name, entry


def places(data: Mapping[str, Any]) -> dict[str, Any]:
    """Sites, VNets, private endpoints and subnets: what addresses belong to."""
    vnets = as_map(data.get("vnets"))
    endpoints = as_map(data.get("private_endpoints"))
    return {**as_map(data.get("sites")), **vnets, **endpoints, **subnets(vnets)}


def subnets(vnets: Mapping[str, Any]) -> dict[str, str]:
    """The VNet of each subnet, by the name that traffic uses."""
    return {
        f"{name}.{subnet}": name
        for name, vnet in vnets.items()
        for subnet in as_map(as_map(vnet).get("subnets"))
    }
