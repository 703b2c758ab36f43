"""`python -m bench.faults`: one row a fault; ends with 1 when a row is not all zeroes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.faults import FAULTS, Fault
from bench.faults.run import Bench, Row

_DATABASES = ("sqlite", "postgres")
_HEAD = f"{'fault':58} {'database':9} {'lost':>5} {'doubled':>8} {'wrong':>6} {'claims/item':>12} {'recovered':>10}  by"


def main(
    database: Annotated[str, typer.Option(help="sqlite, postgres or both.")] = "both",
    only: Annotated[str, typer.Option(help="Run only the faults whose name holds this text.")] = "",
    missing_is_fine: Annotated[
        bool, typer.Option("--missing-is-fine", help="End with 0 although a row could not be run on this machine.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the rows as JSON here, too.")] = None,
) -> None:
    """Run every fault against a quiet run's ledger and print what was lost, doubled or wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # as by Ctrl-C: no server is left behind
    started = time.monotonic()
    rows = _side_by_side(only) if database == "both" else _in_turn(database, only)
    if not rows:
        typer.echo(f"no fault is called {only!r} on {database}", err=True)
        raise typer.Exit(2)
    if out is not None:
        out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    not_run = sum(row["not_run"] for row in rows)
    bad = sum(not row["good"] for row in rows) - not_run
    told = f"{bad} not zero, {not_run} not run"
    typer.echo(f"{database}: {len(rows)} rows, {told}, {time.monotonic() - started:.0f} s")
    raise typer.Exit(1 if bad or (not_run and not missing_is_fine) else 0)


def _in_turn(database: str, only: str) -> list[dict[str, Any]]:
    """Return the rows of one database, each printed when it is there."""
    if not (chosen := _chosen(database, only)):
        return []
    typer.echo(_HEAD)
    with Bench() as bench:
        rows = [_run(bench, fault, database) for fault in chosen]
    return [{**asdict(row), "good": row.good} for row in rows]


def _side_by_side(only: str) -> list[dict[str, Any]]:
    """Return the rows of both databases: a fault is mostly waiting, and each process has servers of its own."""
    names = [name for name in _DATABASES if _chosen(name, only)]
    with tempfile.TemporaryDirectory(prefix="taffrail-faults-rows-") as folder:
        files = [Path(folder) / f"{name}.json" for name in names]
        command = [sys.executable, "-m", "bench.faults", "--only", only]
        running = [
            subprocess.Popen([*command, "--database", name, "--out", str(file)])
            for name, file in zip(names, files, strict=True)
        ]
        try:
            for process in running:
                process.wait()
        finally:  # each ends what it has started
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
        # A file that is missing is a bench that broke off: no row of it may count as good.
        return [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]


def _chosen(database: str, only: str) -> list[Fault]:
    return [fault for fault in FAULTS if only in fault.name and database in fault.databases]


def _run(bench: Bench, fault: Fault, database: str) -> Row:
    row = bench.run(fault, database=database)
    typer.echo(_line(row))
    for example in row.difference.examples if row.difference else ():
        typer.echo(f"    {example}")
    return row


def _line(row: Row) -> str:
    place = f"{row.name:58} {row.database:9}"
    if row.difference is None:
        return f"{place} {'not run: ' if row.not_run else 'FAILED: '}{row.problem}"
    found = row.difference
    figures = f"{found.lost:5} {found.doubled:8} {found.wrong:6} {row.claims:12.2f} {row.recovery_s:8.1f} s"
    return f"{place} {figures}  {row.problem or ('resume' if row.resumed else 'itself')}"


if __name__ == "__main__":
    typer.run(main)
