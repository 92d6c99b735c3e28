"""packaging/docs/control-api.md: every route of the control socket, its fields, the shape of its answer, and its errors."""

import inspect
import json
import types
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from banlistd.control.answers.faults import FaultAnswer, status_of
from banlistd.control.declaration import Argument, Command
from banlistd.control.table import COMMANDS
from papers.paper import Paper, section

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _type(shape: Any) -> str:
    """A shape in the terms of JSON; a TypedDict by its name."""
    origin, parts = get_origin(shape), get_args(shape)
    if origin is types.UnionType:
        return " or ".join(_type(part) for part in parts)
    if origin is list:
        return f"array of {_type(parts[0])}"
    if origin is dict:
        return f"object of {_type(parts[1])}"
    return f"`{shape.__name__}`" if is_typeddict(shape) else _PLAIN[shape]


def _objects(shape: Any) -> Iterator[Any]:
    """The TypedDicts in a shape, outermost first."""
    if is_typeddict(shape):
        yield shape
    for part in get_type_hints(shape).values() if is_typeddict(shape) else get_args(shape):
        yield from _objects(part)


def _object(shape: Any) -> str:
    optional = shape.__optional_keys__
    rows = "".join(
        f"| `{key}` | {_type(kind)}{', optional' if key in optional else ''} |\n" for key, kind in get_type_hints(shape).items()
    )
    # A TypedDict without a docstring has that of dict.
    about = inspect.cleandoc(shape.__doc__ or "") if shape.__doc__ != dict.__doc__ else ""
    notes = f"{' '.join(about.split())}\n\n" if about else ""
    return f"`{shape.__name__}`:\n\n{notes}| key | type |\n|---|---|\n{rows}"


def _route(command: Command[Any, Any]) -> str:
    where = "query" if command.method == "GET" else "JSON body"
    in_query = command.method == "GET"
    fields = "".join(
        f"| `{argument.key}` | {_value(argument, in_query=in_query)} | {argument.help} |\n" for argument in command.asked
    )
    request = f"Fields of the {where}:\n\n| field | type | meaning |\n|---|---|---|\n{fields}\n" if fields else ""
    errors = ", ".join(f"{status_of(kind)} `{kind.__name__}`" for kind in command.errors)
    shapes = "\n".join(_object(shape) for shape in dict.fromkeys(_objects(command.shape)))
    example = json.dumps(command.example, indent=2)
    return (
        f"## {command.method} {command.path}\n\n{command.help[0].upper()}{command.help[1:]}. {command.details}".rstrip()
        + f"\n\n{request}Answer: {_type(command.shape)}. Errors: {errors or 'only the common ones'}.\n\n"
        + f"{shapes}\n```json\n{example}\n```\n"
    )


def _value(argument: Argument, *, in_query: bool) -> str:
    if argument.choices:
        return " or ".join(f"`{choice}`" for choice in argument.choices)
    kind = "array of string" if argument.is_list and not in_query else "boolean" if argument.is_flag else "string"
    is_optional = (argument.is_option and not argument.required) or argument.nargs in ("*", "?")
    return f"{kind}, optional" if is_optional else kind


def _routes() -> str:
    return "\n".join(_route(command) for command in COMMANDS)


def _errors() -> str:
    return "\n".join(_object(shape) for shape in _objects(FaultAnswer))


PAPERS: tuple[Paper, ...] = (
    section("packaging/docs/control-api.md", "errors", _errors),
    section("packaging/docs/control-api.md", "routes", _routes),
)
