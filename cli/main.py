"""The command line: `cli` and `taffrail`. Every command's own imports wait until it runs."""

from __future__ import annotations

import sys

import typer

from cli import (
    backup,
    cameras,
    demo,
    doctor,
    evaluate,
    explain,
    jobs,
    labels,
    report,
    results,
    retrain,
    sample,
    schedule,
    summary,
    train,
    workers,
)
from cli.audit.agreement import audit_agreement_command
from cli.audit.leakage import audit_leakage_command
from cli.models.app import app as models_app
from cli.review.app import app as review_app
from db.errors import TaffrailError

app = typer.Typer(
    help="Turn folders of images from fishing boats into boxes, heat-map crops and species.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("sample")(sample.sample)
app.add_typer(labels.app, name="labels")
app.add_typer(cameras.app, name="cameras")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("retrain")(retrain.retrain)
app.command("explain")(explain.explain)
app.command("scheduler")(schedule.scheduler)
app.add_typer(schedule.app, name="schedule")
app.command("enqueue")(jobs.enqueue)
app.command("status")(jobs.status)
app.command("resume")(jobs.resume)
app.command("retry")(jobs.retry)
app.command("cancel")(jobs.cancel)
app.command("results")(results.results)
app.command("report")(report.report)
app.command("summary")(summary.summary)
app.command("worker")(workers.worker)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(models_app, name="models")
app.add_typer(review_app, name="review")
audit = typer.Typer(help="Tell how far the numbers can be trusted.", no_args_is_help=True)
audit.command("agreement")(audit_agreement_command)
audit.command("leakage")(audit_leakage_command)
app.add_typer(audit, name="audit")


def run() -> None:
    """Run the command line; what goes wrong is one red line and exit code 2."""
    try:
        app()
    except TaffrailError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.secho("stopped; what is done is kept, the same command goes on from here", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    run()
