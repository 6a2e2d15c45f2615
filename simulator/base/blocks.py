"""Blocks: fields of one component's section that belong to another subject.

A VPN gateway has a block of NAT rules and one for remote access, say. The gateway does not know
them: the registry of blocks adds each field to its schema, and lets its subject plan it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import create_model

from simulator.base.fields import Schema
from simulator.base.registry import Registry

S = TypeVar("S", bound=Schema)


@dataclass(frozen=True)
class Block:
    """A field of a component's section, and what its subject makes of it."""

    type: Any
    """Annotation of the field."""
    field: Any
    """Its default and description, made with `pydantic.Field`."""
    plan_rows: Callable[[str, Any, Any], None]
    """Adds to the draft, after the component itself: gets name, part and draft."""


def block(part: Any, field: str) -> Any:
    """The block of a component's entry; None if the entry has none, or no subject brings it."""
    return getattr(part, field, None)


class Blocks(Registry[Block]):
    """Blocks by `KIND.FIELD`: kind of the component that has the field, and its name."""

    def of(self, kind: str) -> dict[str, Block]:
        """The blocks of a kind of component, by name of the field."""
        found = (name.rpartition(".") for name in self)
        return {field: self[f"{of}.{field}"] for of, _, field in found if of == kind}

    def extend(self, kind: str) -> Callable[[type[S]], type[S]]:
        """Decorates the schema of a kind of component: adds the fields of its blocks."""

        def extended(schema: type[S]) -> type[S]:
            added: dict[str, Any] = {
                field: (block.type, block.field) for field, block in self.of(kind).items()
            }
            return create_model(
                schema.__name__,
                __base__=schema,
                __module__=schema.__module__,
                __doc__=schema.__doc__,
                **added,
            )

        return extended

    def plan_rows(self, kind: str, name: str, part: Schema, draft: Any) -> None:
        """Let each block of a component add its rows."""
        for block in self.of(kind).values():
            block.plan_rows(name, part, draft)
