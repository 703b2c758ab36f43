"""The command that tells an image's whole story: `cli explain`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.domain.lineage import Story
    from db.domain.taken_with import TakenWith


def explain(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image's path, or six or more first digits of its SHA-256.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")] = False,
) -> None:
    """Explain an image: files, jobs, what each model and each person said, data sets it was in, models it taught."""
    from db.session import reading
    from db.store.lineage import find_image, story_of

    _, engine = opened()
    with reading(engine) as session:
        story = story_of(session, find_image(session, os.fsencode(image)))
    if as_json:
        typer.echo(json.dumps(asdict(story), indent=2))
        return
    for line in _lines(story):
        typer.echo(line)


def _device_lines(told: TakenWith) -> Iterator[str]:
    if told.camera_model or told.camera_serial:
        serial = f", serial number {told.camera_serial}" if told.camera_serial else ""
        yield f"  taken with {told.camera_model or 'a camera'}{serial}"
    if told.position is not None:
        yield f"  taken at {told.position[0]:.5f}, {told.position[1]:.5f}"


def _lines(story: Story) -> Iterator[str]:
    yield f"image {story.sha256}"
    size = f"{story.width_px} x {story.height_px} pixels" if story.width_px else "of unknown size"
    yield f"  {size}, camera {story.camera}" + (f", captured {story.captured_at}" if story.captured_at else "")
    yield from _device_lines(story.taken_with)
    if story.note:
        yield f"  note: {story.note}"
    yield from (f"  file {file}" for file in story.files)
    for job in story.jobs:
        shows = f", shows {job.shows_model}" if job.shows_model else ""
        yield f"job {job.job_id}: {job.state}{shows}" + (f" ({job.failure})" if job.failure else "")
    for said in story.predictions:
        yield (
            f"{said.predicted_at[:19]}  model {said.model_id} ({said.state}): {said.species}, {said.fish_count} fish, "
            f"agreement {said.agreement:.2f}, chance wrong {said.error_probability:.2f}"
        )
    for export in story.exports:
        drawn = ", drawn by chance" if export.at_random else ""
        yield f"{export.exported_at[:19]}  export {export.export_id} in {export.folder}{drawn}: {export.why}"
    for saying in story.sayings:
        species = saying.species or "nothing decided"
        yield f"{saying.said_at[:19]}  {saying.kind} by {saying.who}: {saying.outcome}, {species}, {saying.boxes} boxes"
    for dataset in story.datasets:
        side = "evaluated" if dataset.held_out else f"taught, weight {dataset.weight:g},"
        models = ", ".join(dataset.models) or "no model yet"
        yield f"data set {dataset.dataset_id} ({dataset.origin} {dataset.species}): {side} {models}"
