"""The first review, with no model yet: images are registered, seen by the trunk, and those that differ go out."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from cli.shared.cameras import find_where_untold, tell_untold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Engine

    from annotator.export.export_flagged import ReviewExportOptions
    from annotator.export.write import WrittenExport
    from db.domain.places import Place
    from db.settings import Settings

# Each of them goes through the trunk: three minutes on two cores. More would hardly differ more.
CANDIDATES = 2_000


def export_first(
    folder: Path,
    options: ReviewExportOptions,
    *,
    engine: Engine,
    settings: Settings,
    images_from: str | None,
    camera: str | None,
    handed_out: bool,
    rng: Random,
    quiet: bool,
) -> WrittenExport:
    """Return the folder written; its problems also name the files that give no image.

    images_from: a folder or URL to register first; what is registered already where none is given.

    Raises:
        NotFoundError: no image waits. StepError: the trunk could not look at them.
    """
    from annotator.export.export_cold_start import export_cold_start
    from annotator.export.select import spread

    problems = [] if images_from is None else _register(engine, settings, os.fsencode(images_from), quiet=quiet)
    places = _waiting(engine, images_from=images_from, camera=camera, handed_out=handed_out)
    among = [places[row] for row in spread([place.camera for place in places], count=CANDIDATES, rng=rng)]
    features, unreadable = _features(among, quiet=quiet)
    written = export_cold_start(folder, among, features, options, engine=engine, rng=rng, camera=camera)
    return _with_problems(written, [*problems, *unreadable])


def _register(engine: Engine, settings: Settings, images: bytes, *, quiet: bool) -> list[str]:
    from cli.shared.progress import progress_bar
    from db.domain.places import is_url
    from worker.images.register import register_images

    with progress_bar("images", quiet=quiet) as bar:
        task = bar.add_task("reading", total=None)
        held = register_images(engine, settings, images, progress=lambda found: bar.update(task, completed=found))
    found = None if is_url(held.root) else find_where_untold(engine, held.root, settings, quiet=quiet)
    if found and not quiet:
        tell_untold(found)
    return [f"{file.decode('utf-8', 'backslashreplace')}: {reason}" for file, reason in held.problems]


def _waiting(engine: Engine, *, images_from: str | None, camera: str | None, handed_out: bool) -> list[Place]:
    from db.domain.places import is_url
    from db.errors import NotFoundError
    from db.session import reading
    from db.store.images import unlabelled_places

    with reading(engine) as session:
        held = unlabelled_places(session, handed_out=handed_out)
    if images_from is not None:
        given = os.fsencode(images_from)
        below = (given if is_url(given) else os.path.realpath(given)).rstrip(b"/") + b"/"
        held = [place for place in held if place.file.startswith(below)]
    found = [place for place in held if camera is None or place.camera == camera]
    if not found:
        of = "" if camera is None else f" of camera {camera}"
        raise NotFoundError(
            f"no model yet, and no image{of} waits for a first look; name their folder with --from, "
            "or bring labels with cli labels import and make a model with cli train"
        )
    return found


def _features(among: Sequence[Place], *, quiet: bool) -> tuple[Mapping[str, Sequence[float]], list[str]]:
    from cli.shared.progress import stage_bars
    from worker.steps.requests import FIRST_FEATURES, FeaturesRequest
    from worker.steps.step_process import run_step

    with stage_bars(quiet=quiet) as show:
        request = FeaturesRequest(sha256s=tuple(place.sha256 for place in among))
        seen = run_step(FIRST_FEATURES, request, progress=show)
    return seen.features, [f"{file}: {reason}" for file, reason in seen.unreadable]


def _with_problems(written: WrittenExport, problems: Sequence[str]) -> WrittenExport:
    from dataclasses import replace

    return replace(written, problems=(*problems, *written.problems))
