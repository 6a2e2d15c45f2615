"""Lists and maps that cannot be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BeforeValidator
from pydantic.functional_validators import AfterValidator

from simulator.base.fields.addresses import PrefixText
from simulator.base.fields.names import Name

V = TypeVar("V")


class FrozenDict(dict[str, V]):
    """A dict that refuses every change and can be hashed by no one; order is that of the file."""

    def __reduce__(self) -> tuple[type[FrozenDict[V]], tuple[dict[str, V]]]:
        return (FrozenDict, (dict(self),))

    def _refuse_change(self, *args: object, **kwargs: object) -> NoReturn:
        message = "a scenario cannot be changed; use scenario.with_(...)"
        raise TypeError(message)

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse_change
    __ior__ = _refuse_change


def _from_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


#: A list in the file, a tuple in the model.
Sequenced = Annotated[tuple[V, ...], BeforeValidator(_from_list)]

#: A map of named things, in the order of the file.
Named = Annotated[Mapping[Name, V], AfterValidator(FrozenDict)]

#: A map by prefix, which stays text.
Prefixed = Annotated[Mapping[PrefixText, V], AfterValidator(FrozenDict)]


def tagged(prefix: str, field: str) -> Callable[[Any], str | None]:
    """A discriminator that reads `field` of raw data or of a model; tags are `prefix=value`."""

    def tag(value: Any) -> str | None:
        kind = value.get(field) if isinstance(value, Mapping) else getattr(value, field, None)
        return f"{prefix}={kind}"

    return tag
