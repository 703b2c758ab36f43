"""How large cameras show their fish, by whom that is told, and what another size makes of answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from db.domain.boxes import Box
from db.domain.cameras import CameraOrigin
from db.domain.files import FoundFile
from db.domain.fish_size import FishSize, FishSizeOrigin
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.outcomes import SeenImage
from db.domain.train_choices import SIZED_KIND
from db.errors import NotFoundError
from db.session import reading, transaction
from db.store.cameras import set_cameras
from db.store.champion_items import count_stale
from db.store.fish_sizes import (
    estimated_in_job,
    fish_sizes,
    forget_fish_size,
    image_size_of,
    keep_estimate,
    set_fish_size,
    sizes_from_labels,
)
from db.store.labels import NewLabel, add_labels
from db.tables.images import ImageRow
from db.tables.models import ModelVersionRow
from tests.factories import write_images
from tests.integration.test_delivery import Site


def _label(engine: Engine, camera: str, *sides_px: float) -> None:
    """Label one image of 1280 x 720 of a camera for each square fish; nominal sizes are half of these."""
    labels = [
        NewLabel(
            FoundFile(f"/fleet/{camera}".encode(), b"%d.jpg" % number, 10, 10),
            SeenImage(f"{camera}-{number}".ljust(64, "0"), 1280, 720),
            ImageLabel("ALB", (LabelledBox(Box(0, 0, side, side), "ALB"),)),
            place="boxes.json",
        )
        for number, side in enumerate(sides_px)
    ]
    with transaction(engine) as session:
        add_labels(session, labels, root=b"/fleet", source="ncfm")


def _sizes(engine: Engine) -> dict[str, FishSize]:
    with transaction(engine) as session:
        sizes_from_labels(session)
    with reading(engine) as session:
        return fish_sizes(session)


def test_labelled_boxes_tell_a_cameras_size(engine: Engine) -> None:
    _label(engine, "near", 300, 320, 420)
    _label(engine, "far", 80)

    assert _sizes(engine) == {
        "near": FishSize(160.0, FishSizeOrigin.LABELS),
        "far": FishSize(40.0, FishSizeOrigin.LABELS),
    }


def test_what_a_person_told_stands_until_it_is_forgotten(engine: Engine) -> None:
    _label(engine, "near", 300)
    with transaction(engine) as session:
        set_fish_size(session, "near", FishSize(90.0, FishSizeOrigin.PERSON))
    assert _sizes(engine)["near"] == FishSize(90.0, FishSizeOrigin.PERSON)

    with transaction(engine) as session:
        forget_fish_size(session, "near")

    assert _sizes(engine)["near"] == FishSize(150.0, FishSizeOrigin.LABELS)


def test_of_two_workers_estimates_the_first_is_held_and_boxes_replace_it(engine: Engine) -> None:
    _label(engine, "near", 300)
    with transaction(engine) as session:
        assert keep_estimate(session, "near", 70.0) == 70.0
        assert keep_estimate(session, "near", 99.0) == 70.0
        assert fish_sizes(session)["near"].origin is FishSizeOrigin.ESTIMATE

    assert _sizes(engine)["near"] == FishSize(150.0, FishSizeOrigin.LABELS)


@pytest.mark.parametrize(("found", "known"), [(("a", "a"), True), (("a", "b"), False)], ids=["one", "two"])
def test_a_folder_goes_by_the_one_camera_found_among_its_labelled_images(
    engine: Engine, found: tuple[str, str], known: bool
) -> None:
    _label(engine, "trip", 300, 320)
    with transaction(engine) as session:
        image_ids = sorted(session.scalars(select(ImageRow.id)))
        set_cameras(session, dict(zip(image_ids, found, strict=True)), origin=CameraOrigin.BACKGROUND)

    assert ("trip" in _sizes(engine)) is known


def test_a_cameras_images_have_a_size_to_reckon_in(engine: Engine) -> None:
    _label(engine, "near", 300, 320)

    with reading(engine) as session:
        assert image_size_of(session, "near") == (1280, 720)
        assert image_size_of(session, "nobody's") is None


def test_a_camera_that_is_not_held_has_no_size(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="cli cameras list"), transaction(engine) as session:
        set_fish_size(session, "nobody's", FishSize(90.0, FishSizeOrigin.PERSON))


def test_another_size_makes_answers_stale_and_not_wrong(engine: Engine, tmp_path: Path) -> None:
    site = Site(engine, tmp_path)
    write_images(site.images / "cam_1", 3)
    write_images(site.images / "cam_2", 2, seed=1)
    site.enqueue()
    site.work()
    with transaction(engine) as session:
        answered_at = {"kind": SIZED_KIND, "input_hw": [90, 160], "species": []}
        session.execute(update(ModelVersionRow).values(card=answered_at))
        assert count_stale(session, [1]) == {}  # no size is known

        keep_estimate(session, "cam_1", 42.0)

        assert count_stale(session, [1]) == {1: 3}
        assert estimated_in_job(session, 1) == [("cam_1", FishSize(42.0, FishSizeOrigin.ESTIMATE))]
