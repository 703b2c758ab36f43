"""Registers images without asking any model: read once, hashed and measured, so that a person can see them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Engine

from db.domain.files import FoundFile
from db.domain.outcomes import SeenImage
from db.session import transaction
from db.settings import Settings
from db.store.images import Seen, hold_images, register_unread
from worker.images.decode import measure_image
from worker.images.errors import UnreadableImage
from worker.images.look_into import look_into
from worker.images.read import read_image_file
from worker.images.times import time_taken

_FILES_A_TRANSACTION = 500
Progress = Callable[[int], None]


@dataclass(frozen=True)
class RegisteredImages:
    """What lies below a folder. root: absolute, or a URL. problems: what gave no image, with the reason."""

    root: bytes
    found: int
    problems: tuple[tuple[bytes, str], ...]


def register_images(
    engine: Engine, settings: Settings, folder: bytes, *, progress: Progress = lambda found: None
) -> RegisteredImages:
    """Return what was registered below a folder; files that are known and unchanged are not read again.

    Raises:
        FolderError: there is no such folder. RemoteRootError, StoreUnreachable: the URL cannot be used.
    """
    problems: list[tuple[bytes, str]] = []
    root, files = look_into(folder, settings, on_problem=lambda path, text: problems.append((path, text)))
    found = 0
    while chunk := list(islice(files, _FILES_A_TRANSACTION)):
        with transaction(engine) as session:
            unread = register_unread(session, chunk, root=root)
        seen = _read(unread, root, settings, problems)
        with transaction(engine) as session:
            hold_images(session, seen, root=root)
        found += len(chunk)
        progress(found)
    return RegisteredImages(root, found, tuple(problems))


def seen_image(file: FoundFile, *, root: bytes, settings: Settings) -> SeenImage:
    """Return an image's hash, upright size and moment; it is not decoded.

    Raises:
        UnreadableImage: it gives no image. StoreUnreachable: its store does not answer.
    """
    path = file.folder + b"/" + file.name
    read = read_image_file(path, root=root, max_bytes=settings.max_file_mib * 2**20)
    size = measure_image(read.content, max_pixels=settings.max_pixels)
    taken = time_taken(size.captured_at, read, path, settings.patterns_of_time)
    return SeenImage(read.sha256, size.width_px, size.height_px, *taken, note=size.note, taken_with=size.taken_with)


def _read(files: list[FoundFile], root: bytes, settings: Settings, problems: list[tuple[bytes, str]]) -> list[Seen]:
    seen: list[Seen] = []
    for file in files:
        try:
            seen.append((file, seen_image(file, root=root, settings=settings)))
        except UnreadableImage as error:
            problems.append((os.path.join(file.folder, file.name), str(error)))
    return seen
