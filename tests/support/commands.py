"""Commands as tests ask them: by name, with the fields that they need, and with answers checked against their shapes."""

import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from banlistd.control.declaration import Command
from banlistd.control.table import COMMANDS
from support.operators import BERT, key_text


def command_named(name: str) -> Command[Any, Any]:
    return next(command for command in COMMANDS if command.name == name)


def fields_of(command: Command[Any, Any], source_id: str) -> Mapping[str, Any]:
    """The fields that a request of the command needs at least, about a source or a sample address."""
    samples = {"ADDRESS": "203.0.113.7", "ID": source_id, "RUN|TIME": "1", "SITE": "oslo", "KEY": key_text(BERT)}
    samples["LIST"] = source_id
    fields: dict[str, object] = {}
    for argument in command.arguments:
        sample = samples.get(argument.metavar, "")
        if argument.required:
            fields[argument.key] = True if argument.is_flag else argument.choices[0] if argument.choices else sample
        elif not argument.is_option and (argument.nargs != "*" or command.name == "unban") and argument.metavar in samples:
            fields[argument.key] = [sample] if argument.is_list and command.method == "POST" else sample
    return fields


def unfit(value: object, shape: Any, at: str = "answer") -> str:
    """The first place where a value does not have the shape; empty where there is none."""
    origin, parts = get_origin(shape), get_args(shape)
    if is_typeddict(shape):
        return _unfit_document(value, shape, at)
    if origin is types.UnionType:
        is_fit = any(not unfit(value, part) for part in parts)
    elif origin in (list, dict) and isinstance(value, origin):
        inner = value if isinstance(value, list) else value.values()
        return next((fault for one in inner if (fault := unfit(one, parts[-1], f"{at}[]"))), "")
    else:
        accepted = (int, float) if shape is float else origin or shape
        is_fit = isinstance(value, accepted) and (shape is bool or not isinstance(value, bool))
    return "" if is_fit else f"{at}: {value!r} is not {shape}"


def _unfit_document(value: object, shape: Any, at: str) -> str:
    hints = get_type_hints(shape)
    if not isinstance(value, dict) or value.keys() - hints.keys() or shape.__required_keys__ - value.keys():
        return f"{at}: {value!r} does not have the keys {sorted(hints)}"
    return next((fault for key, one in value.items() if (fault := unfit(one, hints[key], f"{at}.{key}"))), "")
