"""What pydantic found, as problems with a place, a rule and the nearest fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from simulator.base.errors import Problem, did_you_mean
from simulator.base.fields import PROBLEM_TYPE, Lookup
from simulator.scenario.model import Scenario
from simulator.scenario.shape import Shape
from simulator.scenario.source import Source, TreePath, item_at, shown_value

#: More problems than this are cut off: nobody reads them, and nearest names take time.
PROBLEMS_MAX = 1000

#: Longer messages do not list all kinds twice.
CHARACTERS_MAX = 400

#: Type of the pydantic error of a text that is none of the choices.
LITERAL = "literal_error"

#: Type of a pydantic error -> rule and fix, where both are fixed texts.
_PLAIN = {
    "string_type": ("must be text", "put it in quotes"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
    "int_type": ("must be a whole number", "write digits only, without unit and quotes"),
    "int_from_float": ("must be a whole number", "write digits only"),
    "float_type": ("must be a number", "write a number, without unit and quotes"),
    "finite_number": ("must be a finite number", "write a number"),
    "tuple_type": ("must be a list", "write it in brackets: [...]"),
    "mapping_type": ("must be a map of names", "write a name and ':' for each"),
    "dict_type": ("must be a map of names", "write a name and ':' for each"),
    "model_type": ("must be a map of fields", "write {field: value, ...}"),
    "model_attributes_type": ("must be a map of fields", "write {field: value, ...}"),
}


def from_pydantic(
    error: ValidationError,
    source: Source,
    lookup: Lookup,
    root: type[BaseModel] = Scenario,
) -> list[Problem]:
    """Every error of one validation, without those that follow from a worse one.

    `root` is the model of the whole tree.
    """
    located: list[tuple[TreePath, ErrorDetails]] = []
    for details in error.errors(include_url=False):
        path = field_path(details["loc"])
        if not source.is_spoilt(path):
            located.append((path, details))
    # A thing of an unknown type may have any fields.
    unknown = {path[:-1] for path, d in located if path[-1:] == ("type",) and d["type"] == LITERAL}
    located = [i for i in located if i[0][-1:] == ("type",) or not _is_under(i[0], unknown)]
    # A list whose entries are all wrong is not short.
    above = {path[:-1] for path, _ in located}
    located = [i for i in located if i[1]["type"] != "too_short" or i[0] not in above]
    located.sort(key=lambda item: _place(source, item[0]))
    problems: list[Problem] = []
    seen: set[tuple[object, ...]] = set()
    for path, details in located[:PROBLEMS_MAX]:
        problem = _problem(path, details, source, lookup, root)
        # Copies made by `count` share their place: say it once.
        identity = (problem.file, problem.line, problem.col, problem.rule, problem.fix)
        if source.is_copy(path) and identity in seen:
            continue
        seen.add(identity)
        problems.append(problem)
    return problems


def _is_under(path: TreePath, owners: set[TreePath]) -> bool:
    return any(path[:length] in owners for length in range(len(path)))


def field_path(location: tuple[str | int, ...]) -> TreePath:
    """The path of a pydantic location, without the tags of alternatives."""
    return tuple(
        part
        for part in location
        if not (isinstance(part, str) and (part.startswith(("kind=", "type=")) or part == "[key]"))
    )


def _place(source: Source, path: TreePath) -> tuple[str, int, int]:
    mark = source.mark(path)
    return (mark.file, mark.line, mark.col)


def _problem(
    path: TreePath, details: ErrorDetails, source: Source, lookup: Lookup, root: type[BaseModel]
) -> Problem:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    is_key = "[key]" in details["loc"]
    if kind == "missing":
        return _missing(path, source, root)
    if kind == "extra_forbidden":
        return _unknown(path, source, root)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _wrong_kind(path, context, source)
    if kind == PROBLEM_TYPE:
        fix = str(context["fix"])
        if context["subject"]:
            fix = did_you_mean(shown_value(value), lookup.names(str(context["subject"])))
        return source.problem(path, str(context["rule"]), fix or None, key=is_key)
    rule, fix = _PLAIN.get(kind) or _bounded(kind, context, value) or (details["msg"], "")
    if value is None:
        fix = "give a value, or remove the field"
    return source.problem(path, rule, fix or None, key=is_key)


def _missing(path: TreePath, source: Source, root: type[BaseModel]) -> Problem:
    owner, name = path[:-1], str(path[-1])
    info = Shape.at(owner, source.data, root).field(name, item_at(source.data, owner))
    meaning = f" ({info.description})" if info is not None and info.description else ""
    rule = "a required field is missing"
    mark = source.mark(owner, key=True)
    shown = ".".join(str(part) for part in path)
    return Problem(mark.file, mark.line, mark.col, shown, None, rule, f"add {name}: ...{meaning}")


def _unknown(path: TreePath, source: Source, root: type[BaseModel]) -> Problem:
    owner = path[:-1]
    names = Shape.at(owner, source.data, root).field_names(item_at(source.data, owner))
    return source.problem(path, "unknown field", did_you_mean(str(path[-1]), names), key=True)


def _wrong_kind(path: TreePath, context: Mapping[str, Any], source: Source) -> Problem:
    entry = item_at(source.data, path)
    if not isinstance(entry, Mapping):
        rule, fix = _PLAIN["model_type"]
        return source.problem(path, rule, fix)
    expected = str(context.get("expected_tags", ""))
    tags = [tag.strip("' ").partition("=") for tag in expected.split(",")]
    field, kinds = tags[0][0], [kind for _, _, kind in tags]
    if field not in entry:
        mark = source.mark(path, key=True)
        shown = ".".join(str(part) for part in (*path, field))
        fix = f"add {field}: one of {', '.join(kinds)}"
        rule = "a required field is missing"
        return Problem(mark.file, mark.line, mark.col, shown, None, rule, fix)
    value = entry[field]
    rule, fix = f"must be one of {', '.join(kinds)}", did_you_mean(shown_value(value), kinds)
    if len(rule) + len(fix) > CHARACTERS_MAX:
        fix = "write one of them"
    return source.problem((*path, field), rule, fix)


def _bounded(kind: str, context: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    """Rule and fix of an error that has a bound or a list of choices."""
    match kind:
        case _ if kind == LITERAL:
            choices = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            if len(choices) == 1:
                return f"must be {choices[0]}", f"write {choices[0]}"
            return f"must be one of {', '.join(choices)}", did_you_mean(shown_value(value), choices)
        case "greater_than_equal":
            return f"must be at least {context['ge']}", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"must be at most {context['le']}", f"write {context['le']} or less"
        case "greater_than":
            return f"must be greater than {context['gt']}", f"write more than {context['gt']}"
        case "less_than":
            return f"must be less than {context['lt']}", f"write less than {context['lt']}"
        case "too_short":
            return "must have at least one entry", "add one"
        case "too_long":
            return f"must have at most {context['max_length']} entries", "remove some"
        case _:
            return None
