"""Which fields a scenario has at a path: read from the models, for messages and overrides."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simulator.scenario.model import Scenario
from simulator.scenario.source import TreePath, item_at

#: Fields that reading consumes, so that no model has them: depth of their map -> names.
READ_AWAY = {
    "": ("extends",),
    "sites": ("count", "sites_from"),
    "traffic": ("rates_from",),
}

#: Fields that say which of several models a map is.
_TAGS = ("kind", "type")


def _alternatives(annotation: Any) -> list[Any]:
    """The annotation without `Annotated`, `None` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return [one for part in get_args(annotation) for one in _alternatives(part)]
    return [] if annotation is type(None) else [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def model_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the name that a file uses."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _matches(model: type[BaseModel], data: Any) -> bool:
    """Whether the tag written in `data` is that of the model."""
    for tag in _TAGS:
        info = model.model_fields.get(tag)
        if info is not None and isinstance(data, Mapping) and tag in data:
            annotation = info.annotation
            return get_origin(annotation) is not Literal or data[tag] in get_args(annotation)
    return True


class Shape:
    """What may stand at one path of a scenario."""

    def __init__(self, annotations: list[Any], path: TreePath = ()) -> None:
        self._annotations = annotations
        self._path = path

    @classmethod
    def at(cls, path: TreePath, data: Any = None, root: type[BaseModel] = Scenario) -> Shape:
        """The shape at `path`; `data` is the whole tree, to tell alternatives apart."""
        shape = cls([root])
        for part in path:
            shape = shape.child(part, data)
            data = item_at(data, (part,))
        return shape

    def models(self, data: Any = None) -> list[type[BaseModel]]:
        """The models that may stand here; those whose tag is written in `data`, if any."""
        models = [one for one in self._annotations if _is_model(one)]
        return [model for model in models if _matches(model, data)] or models

    def field_names(self, data: Any = None) -> list[str]:
        """Names of the fields that a map here may have; empty where names are free."""
        names = [name for model in self.models(data) for name in model_fields(model)]
        if names:
            names += READ_AWAY.get(".".join(str(part) for part in self._path[:1]), ()) * (
                len(self._path) in {0, 2}
            )
        return list(dict.fromkeys(names))

    def field(self, name: str, data: Any = None) -> FieldInfo | None:
        """The field of that name, if any model here has it."""
        for model in self.models(data):
            info = model_fields(model).get(name)
            if info is not None:
                return info
        return None

    @property
    def has_free_names(self) -> bool:
        """Whether this is a map of named things."""
        return any(get_origin(one) is Mapping for one in self._annotations)

    @property
    def is_list(self) -> bool:
        """Whether this is a list."""
        return any(get_origin(one) is tuple for one in self._annotations)

    def child(self, part: str | int, data: Any = None) -> Shape:
        """The shape of one field, one named thing or one entry of a list."""
        found: list[Any] = []
        for one in self._annotations:
            origin = get_origin(one)
            if origin is Mapping:
                found += _alternatives(get_args(one)[1])
            elif origin is tuple:
                found += _alternatives(get_args(one)[0])
        info = self.field(str(part), data)
        if info is not None:
            found += _alternatives(info.annotation)
        return Shape(found, (*self._path, part))
