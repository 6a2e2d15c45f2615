"""Parts of which the JSON Schemas of results are made."""

from __future__ import annotations

from typing import Any


def object_of(fields: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with just these fields; only the optional ones may be missing."""
    return {
        "type": "object",
        "properties": fields | (optional or {}),
        "required": list(fields),
        "additionalProperties": False,
    }


def array_of(items: dict[str, Any], text: str) -> dict[str, Any]:
    """A list of such items."""
    return {"type": "array", "items": items, "description": text}


def text_of(text: str) -> dict[str, Any]:
    """A text."""
    return {"type": "string", "description": text}


def number_of(text: str) -> dict[str, Any]:
    """A number."""
    return {"type": "number", "description": text}


def whole_of(text: str) -> dict[str, Any]:
    """A whole number that is not negative."""
    return {"type": "integer", "minimum": 0, "description": text}


def or_null(value: dict[str, Any]) -> dict[str, Any]:
    """A value that may be null."""
    return value | {"type": [value["type"], "null"]}
