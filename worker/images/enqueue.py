"""Enqueues a folder: scan, register, make batches. Sending is `reconcile`'s; so is sending again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Engine

from db.domain.files import FoundFile, Registered
from db.session import transaction
from db.settings import Settings
from db.store.jobs import make_batches, new_scan, open_job, register_files, register_items
from worker.images.frame_choice import EVERY_SECOND, FrameChoice
from worker.images.look_into import FolderError, look_into
from worker.images.skipped import Skipped

_FILES_A_TRANSACTION = 10_000
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Enqueued:
    """What became of a folder. problems: places that could not be looked into, with the reason.

    skipped: what lies there and is no image that can be read.
    """

    job_id: int
    registered: Registered
    unreadable: int
    problems: tuple[tuple[bytes, str], ...]
    skipped: Skipped


def enqueue_folder(
    engine: Engine,
    settings: Settings,
    folder: bytes,
    *,
    model: str | None = None,
    choice: FrameChoice = EVERY_SECOND,
    progress: Progress = lambda found: None,
) -> Enqueued:
    """Register every image below a folder and make batches of what is new; repeating it adds nothing.

    folder: on this machine, or a URL such as `s3://bucket/trip7`. choice: which frames of videos are taken.

    Raises:
        FolderError: there is no such folder, or no image in it. RemoteRootError: the URL cannot be used.
        StoreUnreachable: the store that the URL names does not answer.
    """
    problems: list[tuple[bytes, str]] = []
    registered, found, empty = Registered(0, 0, 0), 0, 0
    skipped = Skipped()
    root, files = look_into(
        folder, settings, on_problem=lambda path, text: problems.append((path, text)), choice=choice, skipped=skipped
    )
    chunk = list(islice(files, _FILES_A_TRANSACTION))
    if not chunk:
        why = f"; {skipped.text()}" if skipped.text() else ""
        why += f"; {os.fsdecode(problems[0][0])!r}: {problems[0][1]}" if problems else ""
        raise FolderError(f"{os.fsdecode(folder)!r}: no image or video in it or below{why}")
    with transaction(engine) as session:
        job_id = open_job(session, root, model_asked=model)
    while chunk:
        registered += _register(engine, job_id, chunk, root=root)
        found += len(chunk)
        empty += sum(1 for file in chunk if file.size_bytes == 0)
        progress(found)
        chunk = list(islice(files, _FILES_A_TRANSACTION))
    with transaction(engine) as session:
        make_batches(session, job_id, batch_items=settings.batch_items)
    return Enqueued(job_id, registered, unreadable=empty + len(problems), problems=tuple(problems), skipped=skipped)


def _register(engine: Engine, job_id: int, files: list[FoundFile], *, root: bytes) -> Registered:
    # One transaction: whoever else looks at these files now, an enqueue or an import, must not take their scan from us.
    scan = new_scan()
    with transaction(engine) as session:
        register_files(session, files, root=root, scan=scan)
        return register_items(session, job_id, scan=scan)
