"""Finds the cameras of the pictures held and stores them; what a person said of a picture's camera stays."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from db.domain.cameras import CameraOrigin, CameraPicture
from db.domain.species import LabelSet
from db.session import reading, transaction
from db.store.cameras import camera_names, camera_pictures, set_cameras
from worker.cameras.cluster import cluster_views
from worker.cameras.views import View, read_views

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FoundCameras:
    """What a search came to. looked_at: pictures; cameras: pictures by camera, of those looked at.

    by_metadata: pictures whose file names its camera; alone: pictures like no other one, each a camera of its own.
    left: pictures whose camera a person has set. unreadable: files that gave no picture, with the reason.
    """

    looked_at: int
    cameras: dict[str, int]
    by_metadata: int
    alone: int
    left: int
    unreadable: tuple[tuple[bytes, str], ...]


def folders_tell(pictures: Sequence[CameraPicture], label_set: LabelSet) -> bool:
    """Return whether these pictures' folders can be their cameras: more than one, and not named like species."""
    names = {picture.camera for picture in pictures if picture.origin is CameraOrigin.FOLDER}
    species = {name.lower() for name in label_set.names}
    return len(names) > 1 and not any(name.lower() in species for name in names)


def pictures_below(engine: Engine, root: bytes | None) -> list[CameraPicture]:
    """Return the pictures held, those below a folder where one is given."""
    with reading(engine) as session:
        held = list(camera_pictures(session))
    if root is None:
        return held
    within = os.path.realpath(root).rstrip(b"/") + b"/"
    return [picture for picture in held if picture.file.startswith(within)]


def find_cameras(
    engine: Engine, pictures: Sequence[CameraPicture], *, progress: Progress = lambda done, total: None
) -> FoundCameras:
    """Return what came of finding the cameras of these pictures: from metadata, or else by size and background.

    Found again, a camera keeps the name that most of its pictures had.
    """
    views, unreadable = _read(pictures, progress)
    told = {row: view.serial for row, view in views.items() if view.serial is not None}
    unknown = [row for row in views if row not in told]
    groups = dict(zip(unknown, cluster_views([views[row] for row in unknown]).tolist(), strict=True))
    with transaction(engine) as session:
        names = _named(groups, pictures, taken=camera_names(session) | set(told.values()))
        fixed = {row for row in views if pictures[row].origin is CameraOrigin.PERSON}
        for origin, found in ((CameraOrigin.METADATA, told), (CameraOrigin.BACKGROUND, names)):
            cameras = {pictures[row].image_id: name for row, name in found.items() if row not in fixed}
            set_cameras(session, cameras, origin=origin)
    counts = Counter({**told, **names}.values())
    sizes = Counter(groups.values())
    return FoundCameras(
        looked_at=len(views),
        cameras=dict(counts.most_common()),
        by_metadata=len(told),
        alone=sum(size == 1 for size in sizes.values()),
        left=len(fixed),
        unreadable=tuple(unreadable),
    )


def _read(pictures: Sequence[CameraPicture], progress: Progress) -> tuple[dict[int, View], list[tuple[bytes, str]]]:
    views: dict[int, View] = {}
    unreadable = []
    for row, (file, view) in enumerate(read_views(picture.file for picture in pictures)):
        if isinstance(view, View):
            views[row] = view
        else:
            unreadable.append((file, str(view) or type(view).__name__))
        progress(row + 1, len(pictures))
    return views, unreadable


def _named(groups: Mapping[int, int], pictures: Sequence[CameraPicture], *, taken: set[str]) -> dict[int, str]:
    """Return a name for every row: what a person called most of its group, its name when last found, or a new one."""
    names: dict[int, str] = {}
    for group in sorted(set(groups.values())):
        rows = [row for row, own in groups.items() if own == group]
        names[group] = _earlier_name([pictures[row] for row in rows], set(names.values())) or _new_name(
            taken | set(names.values())
        )
    return {row: names[group] for row, group in groups.items()}


def _earlier_name(pictures: Sequence[CameraPicture], used: set[str]) -> str | None:
    said = Counter(one.camera for one in pictures if one.origin is CameraOrigin.PERSON)
    if said:
        return said.most_common(1)[0][0]  # two groups may be one camera because a person said so
    found = Counter(one.camera for one in pictures if one.origin is CameraOrigin.BACKGROUND)
    return next((name for name, _count in found.most_common() if name not in used), None)


def _new_name(taken: set[str]) -> str:
    number = 1
    while f"camera_{number:02d}" in taken:
        number += 1
    return f"camera_{number:02d}"
