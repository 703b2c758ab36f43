"""A newcomer's first look: the real commands, one after the other, on a synthetic fleet."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from cli.shared.terminal import say

_MARKER = ".taffrail-demo"
_SERVICES = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="New folder, or that of an earlier demo.")] = Path(
        "demo"
    ),
    images: Annotated[int, typer.Option(min=40, help="Labelled images to draw.")] = 200,
) -> None:
    """Show the whole way in DIR: sample fleet, labels, train, enqueue, review, retrain, report; nothing else needed.

    It runs the same commands as you would, with a HOME of its own in DIR and no service, and prints each of them.
    """
    _make_room(folder)
    for why, arguments in _steps(folder, images):
        say(f"\n{why}", bold=True)
        say(f"$ cli {shlex.join(arguments)}", fg=typer.colors.CYAN)
        code = _run(folder, arguments)
        if code:
            say(f"this step ended with exit code {code}; `cli doctor` may tell why", fg=typer.colors.RED, err=True)
            raise typer.Exit(code)
    say(f"\ndone. Open {folder / 'report' / 'index.html'} in a browser.", bold=True)
    typer.echo(f"To go on with this demo: export TAFFRAIL_HOME={shlex.quote(str((folder / 'home').absolute()))}")
    typer.echo("The fleet is drawn, so its figures test the machinery and say nothing about real fish.")


def _steps(folder: Path, images: int) -> list[tuple[str, list[str]]]:
    fleet, trip, review = str(folder / "fleet"), str(folder / "trip"), str(folder / "review")
    truth = f"{trip}/truth.json"
    half = ["--scale", "0.5"]
    return [
        (
            "1. Eight boats whose images were labelled,",
            ["sample", fleet, "--images", str(images), "--cameras", "8", *half],
        ),
        (
            "   and a trip of four other boats that nobody has labelled.",
            ["sample", trip, "--images", str(images // 3), "--cameras", "4", "--first-camera", "8", *half],
        ),
        (
            "2. The labels come in.",
            ["labels", "import", f"{fleet}/labels", "--format", "ncfm", "--images", f"{fleet}/images"],
        ),
        (
            "3. A first model learns from them and is evaluated on a boat kept apart. It is often wrong.",
            ["train", "--second-stage", "frozen", "--epochs", "5"],  # a fraction of the time; a newcomer waits
        ),
        ("4. The trip's images go through the queue.", ["enqueue", f"{trip}/images"]),
        ("5. Where its two predictions differ, a person is asked,", ["review", "export", review, "--count", "40"]),
        (
            "   here a simulated one, who knows the truth,",
            ["review", "simulate", review, "--truth", truth],
        ),
        ("   and what they said is stored.", ["review", "import", review, "--reviewer", "demo"]),
        ("6. A new model learns from the answers; it serves only if it is better on the boat kept apart.", ["retrain"]),
        (
            "   What an earlier model answered is asked again of the one that serves now.",
            ["enqueue", f"{trip}/images", "--stale"],
        ),
        ("7. The trip as a page to show around.", ["report", "1", "--out", str(folder / "report")]),
        ("   And as a table.", ["results", "1", "--format", "csv", "--out", str(folder / "results.csv")]),
    ]


def _run(folder: Path, arguments: list[str]) -> int:
    from worker.delivery.own_process import own_command, own_environment

    environment = {name: value for name, value in own_environment().items() if name not in _SERVICES}
    environment["TAFFRAIL_HOME"] = str((folder / "home").absolute())
    return subprocess.run([*own_command("cli.main"), *arguments], env=environment, check=False).returncode


def _make_room(folder: Path) -> None:
    """Begin anew in the folder of an earlier demo; anything else there is left alone."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / _MARKER).is_file():
            raise typer.BadParameter(f"{folder}: is not empty and no earlier demo; name a new folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).write_text("made by `cli demo`; the next demo here starts again\n", encoding="utf-8")
