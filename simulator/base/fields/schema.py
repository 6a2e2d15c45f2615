"""What every field has in common: how it is refused, and the base of all that holds fields."""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

#: The type of every problem that a field of this module reports; `fix` is in its context.
PROBLEM_TYPE = "crossprem"


def refuse(rule: str, fix: str = "", *, subject: str = "") -> NoReturn:
    """Report that a field breaks `rule`, with the nearest fix.

    Where the fix is a name of the catalogue, `subject` says of what: looking for the nearest name
    takes long, so whoever prints the problem does it.
    """
    context = {"rule": rule, "fix": fix, "subject": subject}
    raise PydanticCustomError(PROBLEM_TYPE, "{rule}", context)


class Schema(BaseModel):
    """Base of everything that is written in a scenario: strict, frozen, no unknown fields."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
    )


class TextField:
    """Base of annotations of values that are written as text."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.text),
        )

    def parse(self, value: object) -> Any:
        """The value of what was written; what cannot be is refused."""
        raise NotImplementedError

    def text(self, value: Any) -> Any:
        """How a value is written."""
        raise NotImplementedError
