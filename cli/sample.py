"""The command that writes a synthetic fleet to try everything with: `cli sample`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder to write.")],
    images: Annotated[int, typer.Option(help="Images.", min=1)] = 400,
    cameras: Annotated[int, typer.Option(help="Cameras.", min=1, max=500)] = 12,
    seed: Annotated[int, typer.Option(help="The same seed writes the same fleet.", min=0)] = 0,
    first_camera: Annotated[
        int,
        typer.Option(help="Number of the first camera; another one gives other boats of the fleet.", min=0),
    ] = 0,
    scale: Annotated[float, typer.Option(help="Share of the real image sizes.", min=0.1, max=2.0)] = 1.0,
    no_leak: Annotated[
        bool, typer.Option("--no-leak", help="Every camera sees all species alike; else some see one only, as at sea.")
    ] = False,
    sequences: Annotated[
        bool,
        typer.Option("--sequences", help="Cameras that take images all the time; truth names each animal."),
    ] = False,
    per_second: Annotated[float, typer.Option(help="With --sequences: images a second.", min=0.01, max=30)] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Write a synthetic fleet to DIR: images/, labels/ (NCFM box JSON a species) and truth.json."""
    from cli.shared.progress import progress_bar
    from worker.sample_fleet.write import write_sample_fleet

    if sequences:
        _sequences(folder, images, cameras, per_second, seed, scale=scale, first_camera=first_camera, as_json=as_json)
        return
    with progress_bar("images", quiet=as_json) as bar:
        task = bar.add_task("drawing", total=images)
        done = write_sample_fleet(
            folder,
            images=images,
            cameras=cameras,
            seed=seed,
            scale=scale,
            first_camera=first_camera,
            leak=not no_leak,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(done)}))
        return
    species = ", ".join(f"{name} {count}" for name, count in sorted(done.species.items()))
    typer.echo(f"{folder}: {done.images} images of {len(done.cameras)} cameras ({species})")
    typer.echo(f"next: cli labels import {folder}/labels --format ncfm --images {folder}/images")


def _sequences(
    folder: Path,
    images: int,
    cameras: int,
    per_second: float,
    seed: int,
    *,
    scale: float,
    first_camera: int,
    as_json: bool,
) -> None:
    from cli.shared.progress import progress_bar
    from worker.sample_fleet.write_sequences import write_sequences

    with progress_bar("images", quiet=as_json) as bar:
        task = bar.add_task("drawing", total=images)
        done = write_sequences(
            folder,
            images=images,
            cameras=cameras,
            per_second=per_second,
            seed=seed,
            scale=scale,
            first_camera=first_camera,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), **asdict(done)}))
        return
    animals = ", ".join(f"{name} {count}" for name, count in done.animals.items())
    typer.echo(f"{folder}: {done.images} images of {len(done.cameras)} cameras, {sum(done.animals.values())} animals")
    typer.echo(f"  {animals}")
