"""`python -m bench.faults`: one row a fault; ends with 1 when a row is not all zeroes."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench.faults import FAULTS, Fault
from bench.faults.run import Bench, Row

_HEAD = f"{'fault':58} {'database':9} {'lost':>5} {'doubled':>8} {'wrong':>6} {'claims/item':>12} {'recovered':>10}  by"


def main(
    database: Annotated[str, typer.Option(help="sqlite, postgres or both.")] = "both",
    only: Annotated[str, typer.Option(help="Run only the faults whose name holds this text.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the rows as JSON here, too.")] = None,
) -> None:
    """Run every fault against a quiet run's ledger and print what was lost, doubled or wrong."""
    databases = ("sqlite", "postgres") if database == "both" else (database,)
    chosen = [(fault, name) for fault in FAULTS for name in databases if only in fault.name and name in fault.databases]
    if not chosen:
        typer.secho(f"no fault is called {only!r} on {database}", fg=typer.colors.RED, err=True)
        raise typer.Exit(2)
    started = time.monotonic()
    typer.echo(_HEAD)
    rows = []
    with Bench() as bench:
        for fault, name in chosen:
            rows.append(_run(bench, fault, name))
    if out is not None:
        out.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    bad = sum(not row.good for row in rows)
    typer.echo(f"{len(rows)} rows, {bad} not zero, {time.monotonic() - started:.0f} s")
    raise typer.Exit(1 if bad else 0)


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
