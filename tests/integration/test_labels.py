"""Labels in the store: held once, the newest counts, a person's word before any file's."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Engine, func, select, update

from db.domain.boxes import Box
from db.domain.files import FoundFile
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.session import reading, transaction
from db.store.labels import LabelOrigin, NewLabel, add_labels, label_digest, training_records
from db.tables.images import CameraRow, ImageRow
from db.tables.labels import LabelBoxRow, LabelRow

ROOT = b"/fleet"
FISH = LabelledBox(Box(10, 20, 110, 60), "ALB", head_px=(12.0, 40.0))
NAMES = (b"one.jpg", b"two.jpg", b"na\xefve.jpg")


def test_importing_twice_adds_nothing(engine: Engine) -> None:
    first = _add(engine, *[_label(name) for name in NAMES])
    second = _add(engine, *[_label(name) for name in NAMES])

    assert (first, second) == (3, 0)
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(LabelRow)) == 3
        assert session.scalar(select(func.count()).select_from(LabelBoxRow)) == 3


def test_training_gets_the_newest_label_with_place_camera_and_size(engine: Engine) -> None:
    _add(engine, _label(NAMES[2]))
    _add(engine, _label(NAMES[2], ImageLabel("NoF")))

    with reading(engine) as session:
        (record,) = training_records(session)

    assert record.file == ROOT + b"/boat_1/day/" + NAMES[2]
    assert (record.camera, record.width_px, record.height_px) == ("boat_1", 640, 360)
    assert record.label == ImageLabel("NoF") and record.origin is LabelOrigin.LABEL


def test_head_and_tail_come_back(engine: Engine) -> None:
    _add(engine, _label(NAMES[0]))

    with reading(engine) as session:
        (record,) = training_records(session)

    assert record.label.boxes == (FISH,)


def test_a_images_own_camera_counts_before_its_folders(engine: Engine) -> None:
    _add(engine, _label(NAMES[0]), _label(NAMES[1]))
    with transaction(engine) as session:
        camera = CameraRow(name="clustered 3")
        session.add(camera)
        session.flush()
        session.execute(update(ImageRow).where(ImageRow.sha256 == _sha256(NAMES[0])).values(camera_id=camera.id))

    with reading(engine) as session:
        cameras = {os.path.basename(record.file): record.camera for record in training_records(session)}

    assert cameras == {NAMES[0]: "clustered 3", NAMES[1]: "boat_1"}


def test_a_copy_of_a_image_is_learnt_from_once(engine: Engine) -> None:
    one = _label(NAMES[0])
    copy = NewLabel(FoundFile(ROOT + b"/boat_2", b"copy.jpg", 10, 1), one.image, one.label, "b.json[0]")

    assert _add(engine, one) + _add(engine, copy) == 1
    with reading(engine) as session:
        assert len(training_records(session)) == 1


@pytest.mark.parametrize("other", [ImageLabel("BET", (FISH,)), ImageLabel("ALB"), ImageLabel("ALB", (FISH, FISH))])
def test_another_saying_has_another_digest(other: ImageLabel) -> None:
    assert label_digest(other) != label_digest(ImageLabel("ALB", (FISH,)))


def _sha256(name: bytes) -> str:
    return name.hex().ljust(64, "0")


def _label(name: bytes, label: ImageLabel | None = None) -> NewLabel:
    file = FoundFile(ROOT + b"/boat_1/day", name, 10, 1)
    return NewLabel(file, SeenImage(_sha256(name), 640, 360, None), label or ImageLabel("ALB", (FISH,)), "a.json[0]")


def _add(engine: Engine, *labels: NewLabel) -> int:
    with transaction(engine) as session:
        return add_labels(session, labels, root=ROOT, source="ncfm")
