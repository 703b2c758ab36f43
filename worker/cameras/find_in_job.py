"""Finds the cameras of a job's new images where its folders do not tell them, before their fish are sized by camera."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from db.domain.cameras import CameraImage, CameraOrigin
from db.domain.files import FoundFile
from db.domain.species import LabelSet
from db.progress import Progress, no_progress
from db.session import reading, transaction
from db.settings import Settings
from db.store.cameras import camera_images
from db.store.images import Seen, hold_images
from db.store.job_cameras import count_waiting, waiting_folder_cameras, waiting_images, waiting_unread
from worker.cameras.find import FoundCameras, find_cameras, names_tell
from worker.images.errors import UnreadableImage
from worker.images.register import seen_image

# All views are compared in memory: 5 KB each. More than this is a collection that its owner should sort.
MOST_IMAGES = 20_000
_FILES_A_TRANSACTION = 500
# A few images show what a camera sees; a thousand in all keep the look at them short.
_KNOWN_A_CAMERA, _KNOWN_IN_ALL, _LEAST_A_CAMERA = 12, 1_000, 3


@dataclass(frozen=True)
class JobCameras:
    """What a search for a job's cameras came to. found: None where there was none. too_many: images for a search."""

    found: FoundCameras | None
    too_many: int = 0


def find_job_cameras(
    engine: Engine, settings: Settings, job_id: int, root: bytes, *, progress: Progress = no_progress
) -> JobCameras:
    """Return the cameras found among a job's waiting images; none are looked for where folders tell them.

    Folders tell where they are several and none is named like a species. Images are sorted in among the cameras that
    are known already.
    """
    with reading(engine) as session:
        folders, waiting = waiting_folder_cameras(session, job_id), count_waiting(session, job_id)
    if not folders or names_tell(folders, settings.label_set):
        return JobCameras(None)
    if waiting > MOST_IMAGES:
        return JobCameras(None, waiting)
    _read_content(engine, settings, job_id, root)
    with reading(engine) as session:
        new_ids = waiting_images(session, job_id)
        held = list(camera_images(session))
    new = [image for image in held if image.image_id in new_ids]
    if not new:
        return JobCameras(None)
    keep_one = names_tell({*folders, ""}, settings.label_set)
    known = _known([image for image in held if image.image_id not in new_ids], settings.label_set)
    return JobCameras(find_cameras(engine, new, known=known, keep_one=keep_one, progress=progress))


def _read_content(engine: Engine, settings: Settings, job_id: int, root: bytes) -> None:
    """Hold the contents of what nobody read yet; what gives no image is left to the worker, which tells why."""
    with reading(engine) as session:
        unread = waiting_unread(session, job_id)
    for start in range(0, len(unread), _FILES_A_TRANSACTION):
        seen = [one for file in unread[start : start + _FILES_A_TRANSACTION] if (one := _seen(file, root, settings))]
        with transaction(engine) as session:
            hold_images(session, seen, root=root)


def _seen(file: FoundFile, root: bytes, settings: Settings) -> Seen | None:
    try:
        return file, seen_image(file, root=root, settings=settings)
    except UnreadableImage:
        return None


def _known(held: Sequence[CameraImage], label_set: LabelSet) -> list[CameraImage]:
    """Return a few images of every camera that is certain: a folder named like a species is none."""
    by_camera: dict[str, list[CameraImage]] = defaultdict(list)
    for image in held:
        if image.origin is not CameraOrigin.FOLDER or names_tell({image.camera, ""}, label_set):
            by_camera[image.camera].append(image)
    each = max(_LEAST_A_CAMERA, min(_KNOWN_A_CAMERA, _KNOWN_IN_ALL // max(len(by_camera), 1)))
    return [image for some in by_camera.values() for image in some[:: max(1, len(some) // each)][:each]]
