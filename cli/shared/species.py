"""Which species an import goes by: those of its own files at the first one, asked for in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from cli.shared.terminal import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from db.domain.species import LabelSet
    from db.settings import Settings

ALL = "all"
_SHOWN = 12


def species_of_import(
    engine: Engine, settings: Settings, written: Mapping[str, int], *, wanted: str | None, quiet: bool
) -> LabelSet:
    """Return the project's label set for an import, decided or grown by it.

    written: the species as the label files write them, with the images of each. wanted: names with commas, or "all".

    Raises:
        BadParameter: a name that cannot be one.
    """
    from db.session import reading, transaction
    from db.store.species import add_species, decide_label_set, held_label_set

    with reading(engine) as session:
        held = held_label_set(session)
    names = _names(written, wanted)
    if held is None:
        chosen = _first(names, settings, named=wanted is not None, quiet=quiet)
        with transaction(engine) as session:
            held = decide_label_set(session, chosen)
        if not quiet:
            typer.echo(f"species from now on: {', '.join(held.names)} (cli species)")
    new = tuple(name for name in _label_set(names).fish if held.named(name) is None)
    if new and (wanted is not None or _adds(new, written, quiet=quiet)):
        with transaction(engine) as session:
            held = add_species(session, new)
    return held


def _names(written: Mapping[str, int], wanted: str | None) -> tuple[str, ...]:
    if wanted is None or wanted.strip().lower() == ALL:
        return tuple(sorted(written, key=str.lower))
    return tuple(name.strip() for name in wanted.split(",") if name.strip())


def _first(names: tuple[str, ...], settings: Settings, *, named: bool, quiet: bool) -> LabelSet:
    seed = settings.label_set
    given = "species" in settings.model_fields_set
    if given or not names or (not named and all(seed.named(name) for name in names)):
        return seed
    found = _label_set(names)
    if named or quiet or not _is_terminal():
        return found
    said = typer.prompt("The species of this project, with commas", default=",".join(found.fish), err=True)
    return _label_set(_names({}, said))


def _adds(new: tuple[str, ...], written: Mapping[str, int], *, quiet: bool) -> bool:
    few = ", ".join(f"{name} ({written.get(name, 0)} images)" for name in new[:_SHOWN])
    more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    if not quiet and _is_terminal():
        return typer.confirm(f"Not known yet: {few}{more}. Add them to the species of this project?", err=True)
    if not quiet:
        text = f"not known yet: {few}{more}; --species all adds them, cli species alias gives a species another name"
        say(text, fg=typer.colors.YELLOW, err=True)
    return False


def _label_set(names: tuple[str, ...]) -> LabelSet:
    from db.domain.species import label_set_of_names

    try:
        return label_set_of_names(names)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
