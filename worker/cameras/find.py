"""Finds the cameras of the images held and stores them; what a person said of an image's camera stays."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from sqlalchemy import Engine

from db.domain.cameras import CameraImage, CameraOrigin, maybe_same, side_of
from db.domain.species import LabelSet
from db.progress import Progress, no_progress
from db.session import reading, transaction
from db.store.cameras import camera_images, camera_names, set_cameras
from worker.cameras.cluster import find_views
from worker.cameras.views import CameraView, read_views

# A group of two may be chance; its fish size would be guessed from two images.
_LEAST_OF_NEW = 3


@dataclass(frozen=True)
class FoundCameras:
    """What a search came to. looked_at: images; cameras: images by camera, of those looked at.

    A camera that may be another one seen again is called after it (`camera_03~2`): no split parts them.
    by_metadata: images whose file names its camera; alone: images like no other one, each a camera of its own.
    left: images whose camera a person has set. unreadable: files that gave no image, with the reason.
    """

    looked_at: int
    cameras: dict[str, int]
    by_metadata: int
    alone: int
    left: int
    unreadable: tuple[tuple[bytes, str], ...]


def folders_tell(images: Sequence[CameraImage], label_set: LabelSet) -> bool:
    """Return whether these images' folders can be their cameras: more than one, and not named like species."""
    return names_tell({image.camera for image in images if image.origin is CameraOrigin.FOLDER}, label_set)


def names_tell(folders: Collection[str], label_set: LabelSet) -> bool:
    """Return whether folders of these names can be cameras: more than one, and none named like a species.

    >>> from db.domain.species import DEFAULT_LABEL_SET
    >>> names_tell({"cam1", "cam2"}, DEFAULT_LABEL_SET), names_tell({"ALB", "cam2"}, DEFAULT_LABEL_SET)
    (True, False)
    """
    species = {name.lower() for name in label_set.names}
    return len(folders) > 1 and not any(name.lower() in species for name in folders)


def images_below(engine: Engine, root: bytes | None) -> list[CameraImage]:
    """Return the images held, those below a folder where one is given."""
    with reading(engine) as session:
        held = list(camera_images(session))
    if root is None:
        return held
    within = os.path.realpath(root).rstrip(b"/") + b"/"
    return [image for image in held if image.file.startswith(within)]


def find_cameras(
    engine: Engine,
    images: Sequence[CameraImage],
    *,
    known: Sequence[CameraImage] | None = None,
    keep_one: bool = False,
    progress: Progress = no_progress,
) -> FoundCameras:
    """Return what came of finding the cameras of these images: from metadata, or else by size and background.

    Found again, a camera keeps the name that most of its images had.
    known: images whose cameras are certain, where new images are sorted in: what looks like them is of these cameras,
    and new images like fewer than two others stay with their folder's. keep_one: all stay with it where they are of one
    camera that is not known.
    """
    asked, images = len(images), [*images, *(known or ())]
    least = 1 if known is None else _LEAST_OF_NEW
    views, unreadable = _read(images, progress)
    told = {row: view.serial for row, view in views.items() if view.serial is not None}
    unknown = [row for row in views if row not in told]
    found_views = find_views([views[row] for row in unknown])
    groups = dict(zip(unknown, found_views.labels.tolist(), strict=True))
    with transaction(engine) as session:
        taken = camera_names(session) | set(told.values())
        names = _named(groups, images, asked=asked, taken=taken, may_be=found_views.may_be, least=least)
        fixed = {row for row in views if row < asked and images[row].origin is CameraOrigin.PERSON}
        told, names = ({row: name for row, name in some.items() if row < asked} for some in (told, names))
        sides = {side_of(name) for name in (*told.values(), *names.values())}
        if keep_one and len(sides) < 2 and not sides & {one.camera for one in known or ()}:
            told, names = {}, {}
        for origin, found in ((CameraOrigin.METADATA, told), (CameraOrigin.BACKGROUND, names)):
            cameras = {images[row].image_id: name for row, name in found.items() if row not in fixed}
            set_cameras(session, cameras, origin=origin)
    counts = Counter({**told, **names}.values())
    sizes = Counter(groups.values())
    return FoundCameras(
        looked_at=sum(row < asked for row in views),
        cameras=dict(counts.most_common()),
        by_metadata=len(told),
        alone=sum(sizes[groups[row]] == 1 for row in names if row in groups),
        left=len(fixed),
        unreadable=tuple(unreadable),
    )


def _read(images: Sequence[CameraImage], progress: Progress) -> tuple[dict[int, CameraView], list[tuple[bytes, str]]]:
    views: dict[int, CameraView] = {}
    unreadable = []
    for row, (file, view) in enumerate(read_views(image.file for image in images)):
        if isinstance(view, CameraView):
            views[row] = view
        else:
            unreadable.append((file, str(view) or type(view).__name__))
        progress(row + 1, len(images))
    return views, unreadable


def _named(
    groups: Mapping[int, int],
    images: Sequence[CameraImage],
    *,
    asked: int,
    taken: set[str],
    may_be: Mapping[int, int],
    least: int,
) -> dict[int, str]:
    """Return a name for every row: what a person called most of its group, its name when last found, or a new one.

    asked: the rows before are asked for, those from it on are known. may_be: of some groups the larger one that they
    may belong to; a new name tells so. A new group of fewer than `least` gets none.
    """
    names: dict[int, str] = {}
    for group in sorted(set(groups.values())):
        rows = [row for row, own in groups.items() if own == group]
        used, larger = taken | set(names.values()), may_be.get(group)
        name = _earlier_name(
            [images[row] for row in rows if row < asked],
            [images[row] for row in rows if row >= asked],
            set(names.values()),
        )
        if name is None and len(rows) >= least:
            name = _new_name(used) if larger not in names else _alike_name(side_of(names[larger]), used)
        if name is not None:
            names[group] = name
    return {row: names[group] for row, group in groups.items() if group in names}


def _alike_name(camera: str, taken: set[str]) -> str:
    return next(name for number in count(2) if (name := maybe_same(camera, number)) not in taken)


def _earlier_name(images: Sequence[CameraImage], known: Sequence[CameraImage], used: set[str]) -> str | None:
    said = Counter(one.camera for one in [*images, *known] if one.origin is CameraOrigin.PERSON)
    if said:
        return said.most_common(1)[0][0]  # two groups may be one camera because a person said so
    found = Counter(one.camera for one in [*images, *known] if one in known or one.origin is CameraOrigin.BACKGROUND)
    return next((name for name, _count in found.most_common() if name not in used), None)


def _new_name(taken: set[str]) -> str:
    number = 1
    while f"camera_{number:02d}" in taken:
        number += 1
    return f"camera_{number:02d}"
