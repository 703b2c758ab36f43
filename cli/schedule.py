"""The commands of the schedule: `cli scheduler` runs it, `cli schedule show` tells of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from db.domain.retrainings import Retraining
    from worker.retraining.schedule import Outlook

app = typer.Typer(help="Tell of the schedule of retrainings.", no_args_is_help=True)


def scheduler() -> None:
    """Run Celery's beat until Ctrl-C: retrains when TAFFRAIL_RETRAIN_CRON or _AFTER says so, resends lost messages.

    With a broker the retraining goes to the train queue (cli worker --queues train); without one it runs in a child
    process here. Several schedulers do no harm: each due time is run once.
    """
    from worker.retraining.scheduler import run_beat

    settings, engine = opened()
    if not settings.retrain_cron and not settings.retrain_after:
        typer.echo("no retraining is scheduled: set TAFFRAIL_RETRAIN_CRON or TAFFRAIL_RETRAIN_AFTER", err=True)
    run_beat(engine, settings, tell=lambda text: typer.echo(text, err=True))


@app.command("show")
def show_command(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Retrainings shown, the newest first.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Show when retrainings ran, what came of them, and when the next one is due."""
    from db.session import reading
    from db.store.retrainings import list_retrainings
    from worker.retraining.schedule import look

    settings, engine = opened()
    now = look(engine, settings)
    with reading(engine) as session:
        runs = list_retrainings(session, limit=limit)
    if as_json:
        typer.echo(json.dumps({**_plain(now), "retrainings": [asdict(run) for run in runs]}, indent=2))
        return
    typer.echo(when_next(now))
    for run in runs:
        typer.echo(_line(run))
    if not runs:
        typer.echo("no retraining yet")


def when_next(now: Outlook) -> str:
    """Return in one line when the next retraining is due."""
    if now.due is not None:
        return f"due now: {now.due.why}"
    parts = []
    if now.next_at is not None:
        parts.append(f"next at {now.next_at:%Y-%m-%d %H:%M} UTC (TAFFRAIL_RETRAIN_CRON {now.cron!r})")
    if now.wanted:
        parts.append(f"after {now.wanted} corrected images, {now.corrected} so far (TAFFRAIL_RETRAIN_AFTER)")
    return " or ".join(parts) or "nothing is scheduled: set TAFFRAIL_RETRAIN_CRON or TAFFRAIL_RETRAIN_AFTER"


def _line(run: Retraining) -> str:
    ended = f" to {run.finished_at[11:19]}" if run.finished_at else ""
    # What the gate said is long; the model's card has all of it.
    model, note = (f"  model {run.model_id}", run.note.split("; ")[0]) if run.model_id else ("", run.note)
    tries = f", attempt {run.attempts}" if run.attempts > 1 else ""
    return f"{run.started_at[:19]}{ended}  {run.state}  ({run.why}{tries}){model}  {note}"


def _plain(now: Outlook) -> dict[str, object]:
    return {
        "cron": now.cron or None,
        "since": now.since.isoformat() if now.since else None,
        "next_at": now.next_at.isoformat() if now.next_at else None,
        "corrected": now.corrected,
        "retrain_after": now.wanted or None,
        "due": now.due.why if now.due else None,
    }
