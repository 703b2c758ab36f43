"""`python -m bench.faults.without_guards`: takes each guard out of a copy of the program and shows the row that fails.

A bench that cannot fail proves nothing. Ends with 1 when a row shows nothing lost, doubled or wrong without its guard.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.faults.processes import REPOSITORY

_PACKAGES = ("annotator", "bench", "cli", "db", "tests", "worker")
_RUN_S = 400


@dataclass(frozen=True)
class Cut:
    """A piece of the program's text and what stands there instead."""

    file: str
    text: str
    instead: str


@dataclass(frozen=True)
class Guard:
    """A guard: where it is, and the row that must fail without it."""

    name: str
    row: str
    cuts: tuple[Cut, ...]


GUARDS = (
    Guard(
        "the token check",
        "frozen beyond its lease",
        (
            Cut(
                "db/store/batches.py",
                ", BatchRow.token == held.token, BatchRow.state == BatchState.CLAIMED)",
                ")",
            ),
        ),
    ),
    Guard(
        # The look at what is evaluated stands before the key, and is enough by itself while the contents' rows are
        # locked.
        "the unique key of predictions, and the look before it",
        "duplicates in every batch",
        (
            Cut("db/store/predictions.py", " and outcome.image.sha256 not in evaluated", ""),
            Cut("db/tables/predictions.py", 'UniqueConstraint("image_id", "model_version_id", "parameters"),', ""),
            Cut(
                "db/migrations/versions/0001_the_first_tables.py",
                "sa.UniqueConstraint(\n"
                '            "image_id",\n            "model_version_id",\n            "parameters",\n'
                '            name=op.f("uq_predictions_image_id_model_version_id_parameters"),\n        ),',
                "",
            ),
        ),
    ),
    Guard(
        "the reconciler's sending again",
        "Redis flushed",
        (
            Cut(
                "worker/delivery/reconcile.py",
                "unsent(session, sent_before_s=now_s - overdue_s, now_s=now_s)",
                "unsent(session, sent_before_s=None)",
            ),
        ),
    ),
    Guard(
        "the sync of crops before the rows that name them",
        "power cut",
        (Cut("worker/storage/artifacts.py", "sync_files([settings.home / name for name in names])", "pass"),),
    ),
    Guard(
        "the reconciler's burying of dead claims",
        "worker killed 30 times",
        (
            Cut(
                "worker/delivery/reconcile.py",
                "mark_expired_dead(session, now_s=now_s)",
                "pass",
            ),
        ),
    ),
)


def main(
    database: Annotated[str, typer.Option(help="sqlite or postgres.")] = "sqlite",
    only: Annotated[str, typer.Option(help="Only the guards whose name holds this text.")] = "",
) -> None:
    """Run each guard's row without the guard; it must not be all zeroes."""
    kept = 0
    for guard in (guard for guard in GUARDS if only in guard.name):
        with tempfile.TemporaryDirectory(prefix="taffrail-unguarded-") as folder:
            done, shown = _run_without(guard, Path(folder), database=database)
        kept += not shown
        typer.echo(
            f"without {guard.name}: {'fails, as it must' if shown else 'DOES NOT FAIL'}\n{done.stdout}{done.stderr}"
        )
    raise typer.Exit(1 if kept else 0)


def _run_without(guard: Guard, copy: Path, *, database: str) -> tuple[subprocess.CompletedProcess[str], bool]:
    """Return the bench's words, and whether a row shows something lost, doubled or wrong."""
    for package in _PACKAGES:
        shutil.copytree(REPOSITORY / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for cut in guard.cuts:
        file = copy / cut.file
        text = file.read_text(encoding="utf-8")
        if cut.text not in text:
            raise typer.BadParameter(f"{cut.file}: the guard is not where it was; tell without_guards.py where it is")
        file.write_text(text.replace(cut.text, cut.instead), encoding="utf-8")
    rows = copy / "rows.json"
    command = [sys.executable, "-m", "bench.faults", "--database", database, "--only", guard.row, "--out", str(rows)]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        command, cwd=copy, env=environment, capture_output=True, text=True, timeout=_RUN_S, check=False
    )
    found = [row["difference"] for row in json.loads(rows.read_text())] if rows.exists() else []
    return done, any(one and one["lost"] + one["doubled"] + one["wrong"] for one in found)


if __name__ == "__main__":
    typer.run(main)
