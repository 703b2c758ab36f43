"""The command that tells what is installed, reachable and writable, and what to do about what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.terminal import coloured

if TYPE_CHECKING:
    from db.settings import Settings
    from worker.doctor.checks import Check

_NEWEST_CROPS = 1000
_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "failed": typer.colors.RED}


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Cut every crop again that is missing, empty or torn in HOME.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Check packages, HOME, database, broker, model and labelme, and say what helps; ends with 1 where one failed."""
    from worker.doctor.checks import CheckState

    checks = []
    for check in _all_checks(repair=repair):
        checks.append(check)
        if not as_json:
            mark = coloured(f"{check.verdict:8}", fg=_COLOURS[check.verdict])
            typer.echo(f"{mark} {check.name:10} {check.found}")
            if check.to_do and check.verdict is not CheckState.GOOD:
                typer.echo(f"{'':20}{check.to_do}")
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    if not any(check.name == "home" for check in checks):  # the settings were refused, so nothing else was asked
        raise typer.Exit(2)
    if any(check.verdict is CheckState.BAD for check in checks):
        raise typer.Exit(1)


def _all_checks(*, repair: bool) -> Iterator[Check]:
    from db.errors import SettingsError
    from db.settings import get_settings
    from worker.doctor.check_installation import check_installation, check_programs, refused_settings

    yield from check_programs()
    try:
        settings = get_settings()
    except SettingsError as error:  # of database and broker nothing can be asked then
        yield refused_settings(error)
        return
    database = None
    for check in check_installation(settings):
        database = check if check.name == "database" else database
        yield check
    if database is not None and database.verdict == "ok":
        yield _check_crops(settings, repair=repair)
    yield _check_labelme()


def _check_crops(settings: Settings, *, repair: bool) -> Check:
    """Look for crops that the database names and the disk lacks: at the newest, or with repair at all of them."""
    from db.migrate import open_database
    from worker.doctor.checks import Check, CheckState
    from worker.inference.repair_crops import damaged_crops, repair_crops

    engine = open_database(settings.database)
    damaged = damaged_crops(engine, settings, newest=None if repair else _NEWEST_CROPS)
    if not damaged:
        looked = "all" if repair else f"the newest {_NEWEST_CROPS}"
        return Check("crops", CheckState.GOOD, f"{looked} that the database names are there")
    if not repair:
        found = f"{len(damaged)} of the newest {_NEWEST_CROPS} are missing, empty or torn"
        return Check("crops", CheckState.ODD, found, "cli doctor --repair cuts them again")
    done = repair_crops(engine, settings, damaged)
    found = f"{done.made} of {len(damaged)} that were missing, empty or torn were cut again"
    if done.problems:
        return Check("crops", CheckState.BAD, f"{found}; {done.problems[0]}", "bring the images back, and repeat")
    return Check("crops", CheckState.GOOD, found)


def _check_labelme() -> Check:
    from annotator.labelme.open import OpenRefused, find_labelme
    from worker.doctor.checks import Check, CheckState

    try:
        return Check("labelme", CheckState.GOOD, str(find_labelme()))
    except OpenRefused as error:
        return Check("labelme", CheckState.ODD, "not found; only reviews on this machine need it", str(error))
