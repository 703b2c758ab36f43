"""The command line: `cli` and `taffrail`. Every command's own imports wait until it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import (
    backup,
    cameras,
    delete,
    demo,
    doctor,
    evaluate,
    events,
    explain,
    jobs,
    labels,
    report,
    results,
    retrain,
    sample,
    schedule,
    schema,
    species,
    summary,
    train,
    workers,
)
from cli.audit.agreement import audit_agreement_command
from cli.audit.detector import audit_detector_command
from cli.audit.leakage import audit_leakage_command
from cli.models.app import app as models_app
from cli.review.app import app as review_app
from cli.safe_path import keep_children_out
from cli.shared.terminal import make_output_safe, say
from db.errors import TaffrailError
from db.one_line import LOG_NAME, one_line

app = typer.Typer(
    help="Turn folders of images from fishing boats into boxes, heat-map crops and species.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from db.version import version

        typer.echo(f"taffrail {version()}")
        raise typer.Exit


@app.callback()
def _main(
    wanted: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings in TOML, instead of settings.toml in HOME (TAFFRAIL_SETTINGS)."),
    ] = None,
) -> None:
    """Turn folders of images from fishing boats into boxes, heat-map crops and species."""
    if settings is not None:
        # By the environment, so that workers and steps of this process go by the same file.
        os.environ["TAFFRAIL_SETTINGS"] = str(settings.absolute())


app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("sample")(sample.sample)
app.add_typer(labels.app, name="labels")
app.add_typer(species.app, name="species")
app.add_typer(cameras.app, name="cameras")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("retrain")(retrain.retrain)
app.command("explain")(explain.explain)
app.command("scheduler")(schedule.scheduler)
app.add_typer(schedule.app, name="schedule")
app.command("enqueue")(jobs.enqueue)
app.command("schema")(schema.schema)
app.command("status")(jobs.status)
app.command("resume")(jobs.resume)
app.command("retry")(jobs.retry)
app.command("cancel")(jobs.cancel)
app.command("results")(results.results)
app.command("report")(report.report)
app.command("summary")(summary.summary)
app.add_typer(events.app, name="events")
app.command("worker")(workers.worker)
app.add_typer(delete.app, name="delete")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.add_typer(models_app, name="models")
app.add_typer(review_app, name="review")
audit = typer.Typer(help="Tell how far the numbers can be trusted.", no_args_is_help=True)
audit.command("agreement")(audit_agreement_command)
audit.command("leakage")(audit_leakage_command)
audit.command("detector")(audit_detector_command)
app.add_typer(audit, name="audit")


def run() -> None:
    """Run the command line: whatever goes wrong is one red line and exit code 2, what nobody foresaw is in a log."""
    make_output_safe()
    keep_children_out()
    try:
        app()
    except KeyboardInterrupt:
        say("stopped; what is done is kept, the same command goes on from here", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output is gone; what is still buffered must not be written to nobody at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        say(one_line(error, log_file=_log_file(), doing=" ".join(sys.argv)), fg=typer.colors.RED, err=True)
        sys.exit(2)


def _log_file() -> Path | None:
    """Return where unforeseen errors are written; None where the settings do not even tell HOME."""
    from db.settings import get_settings

    try:
        return get_settings().home / LOG_NAME
    except TaffrailError:
        return None


if __name__ == "__main__":
    run()
