"""The command that tells what is installed, reachable and writable, and what to do about what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.doctor.checks import Check

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "failed": typer.colors.RED}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Check packages, HOME, database, broker, model and labelme, and say what helps; ends with 1 where one failed."""
    from worker.doctor.checks import CheckState

    checks = []
    for check in _all_checks():
        checks.append(check)
        if not as_json:
            mark = typer.style(f"{check.verdict:8}", fg=_COLOURS[check.verdict])
            typer.echo(f"{mark} {check.name:10} {check.found}")
            if check.to_do and check.verdict is not CheckState.GOOD:
                typer.echo(f"{'':20}{check.to_do}")
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    if not any(check.name == "home" for check in checks):  # the settings were refused, so nothing else was asked
        raise typer.Exit(2)
    if any(check.verdict is CheckState.BAD for check in checks):
        raise typer.Exit(1)


def _all_checks() -> Iterator[Check]:
    from db.errors import SettingsError
    from db.settings import get_settings
    from worker.doctor.check_installation import check_installation, check_programs, refused_settings

    yield from check_programs()
    try:
        settings = get_settings()
    except SettingsError as error:  # of database and broker nothing can be asked then
        yield refused_settings(error)
        return
    yield from check_installation(settings)
    yield _check_labelme()


def _check_labelme() -> Check:
    from annotator.labelme.open import OpenRefused, find_labelme
    from worker.doctor.checks import Check, CheckState

    try:
        return Check("labelme", CheckState.GOOD, str(find_labelme()))
    except OpenRefused as error:
        return Check("labelme", CheckState.ODD, "not found; only reviews on this machine need it", str(error))
