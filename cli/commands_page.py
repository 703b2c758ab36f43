"""Writes docs/commands.md from the commands themselves: `python -m cli.commands_page`, or `make docs`."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from typer import Typer
from typer.models import ArgumentInfo, DefaultPlaceholder, OptionInfo

_HEAD = """# Commands

`cli` and `taffrail` are the same program. Exit codes: 0 done, 1 finished with failed images or a failed check, 2 bad
usage or bad input, told in one line. This page is made from the commands by `make docs`; do not edit it.
"""

_KINDS: dict[object, str] = {bool: "", int: "whole number", float: "number", Path: "path"}


@dataclass(frozen=True)
class Command:
    """One command: what is typed for it, and the function that does it."""

    name: str
    callback: Callable[..., object]

    @property
    def help(self) -> str:
        """The command's own words."""
        return inspect.cleandoc(self.callback.__doc__ or "")


def commands_page(app: Typer) -> str:
    """Return the page of every command of an app."""
    commands = sorted(commands_of(app), key=lambda command: command.name)
    listed = "\n".join(f"- [`{one.name}`](#{_anchor(one.name)}): {one.help.splitlines()[0]}" for one in commands)
    return "\n".join([_HEAD, listed, *(_section(command) for command in commands)]) + "\n"


def commands_of(app: Typer, *, prefix: str = "cli") -> Iterator[Command]:
    """Yield every command of an app, those of its groups too."""
    for held in app.registered_commands:
        if held.callback is not None and not held.hidden:
            yield Command(f"{prefix} {held.name or held.callback.__name__.replace('_', '-')}", held.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands_of(group.typer_instance, prefix=f"{prefix} {group.name}")


def _section(command: Command) -> str:
    rows = []
    usage = [command.name]
    for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
        kind, *marks = typing.get_args(parameter.annotation)
        info = next(mark for mark in marks if isinstance(mark, ArgumentInfo | OptionInfo))
        required = parameter.default is inspect.Parameter.empty
        if isinstance(info, ArgumentInfo):
            name = (info.metavar or parameter.name.upper()).strip("[]")
            usage.append(name if required else f"[{name}]")
        else:
            name = _option_names(info, parameter)
        rows.append(f"| `{name}` | {_values(kind, info)} | {_default(parameter)} | {_cell(info.help or '')} |")
    table = ["", "| | values | without it | |", "|---|---|---|---|", *rows] if rows else []
    return "\n".join(["", f"## {command.name}", "", f"    {' '.join([*usage, '[OPTIONS]'])}", "", command.help, *table])


def _option_names(info: OptionInfo, parameter: inspect.Parameter) -> str:
    # In Annotated, Typer takes the first name for a default and sorts it out later.
    written = [str(name) for name in (info.default, *(info.param_decls or ())) if str(name).startswith("-")]
    return ", ".join(written or [f"--{parameter.name.replace('_', '-')}"])


def _values(kind: object, info: ArgumentInfo | OptionInfo) -> str:
    """What may be given, as people say it."""
    options = [option for option in (typing.get_args(kind) or (kind,)) if option is not type(None)]
    found = options[0]
    if isinstance(found, type) and issubclass(found, Enum):
        return ", ".join(f"`{member.value}`" for member in found)
    limits = [f"from {info.min:g}"] if info.min is not None else []
    limits += [f"to {info.max:g}"] if info.max is not None else []
    name = next((shown for known, shown in _KINDS.items() if found is known), "text")
    return " ".join([name, *limits]).strip()


def _default(parameter: inspect.Parameter) -> str:
    value = parameter.default
    if value is inspect.Parameter.empty:
        return "needed"
    if isinstance(value, DefaultPlaceholder) or value is None or value is False:
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


if __name__ == "__main__":
    from cli.main import app

    sys.stdout.write(commands_page(app))
