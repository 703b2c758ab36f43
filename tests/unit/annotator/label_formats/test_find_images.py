"""A label goes to the image whose path it names, and never to another folder's image of the same name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from annotator.label_formats.find_images import ImageFinder, ImageNotFound
from db.domain.files import FoundFile
from db.domain.species import DEFAULT_LABEL_SET as SPECIES


def _finder(*paths: bytes, root: bytes = b"/r", written: Sequence[str] = ()) -> ImageFinder:
    parts = [(root + b"/" + path).rpartition(b"/") for path in paths]
    files = [FoundFile(folder, name, 1, 1) for folder, _, name in parts]
    return ImageFinder(files, root=root, written=written, label_set=SPECIES)


def _folder(finder: ImageFinder, written: str) -> str:
    return finder.find(written).folder.decode()


def test_a_name_is_found_by_its_folders_prefix_or_missing_ending() -> None:
    finder = _finder(b"boat_1/img.jpg", b"boat_2/img.jpg", b"boat_2/deep/one.png", b"n\xe9.jpg")

    assert finder.find("C:\\data\\boat_2\\img.jpg").folder == b"/r/boat_2"
    assert finder.find("../train/boat_1/img.jpg").folder == b"/r/boat_1"
    assert finder.find("one").name == b"one.png"
    assert finder.find("one.jpg").name == b"one.png"


@pytest.mark.parametrize(
    ("name", "reason"), [("img.jpg", "fits 2 images"), ("gone.jpg", "is not among"), ("../..", "names no file")]
)
def test_a_name_that_means_no_single_image_says_so(name: str, reason: str) -> None:
    with pytest.raises(ImageNotFound, match=reason):
        _finder(b"boat_1/img.jpg", b"boat_2/img.jpg").find(name)


def test_an_image_in_the_root_is_meant_by_its_bare_name() -> None:
    assert _folder(_finder(b"img.jpg", b"boat_2/img.jpg"), "img.jpg") == "/r"


@pytest.mark.parametrize(
    ("held", "written"),
    [
        pytest.param(b"boat_01/1.jpg", ["boat_01/1.jpg", "boat_02/1.jpg"], id="two boats, one is here"),
        pytest.param(b"boat_01/1.jpg", ["boat_02/1.jpg"], id="one boat, another is here"),
        pytest.param(b"Anna/cam1/1.jpg", ["Anna/cam1/1.jpg", "Berta/cam1/1.jpg"], id="the same camera of another boat"),
        pytest.param(b"train/images/1.jpg", ["valid/images/1.jpg"], id="another split"),
        pytest.param(b"boat_01/day1/1.jpg", ["boat_02/day1/1.jpg"], id="the same day of another boat"),
    ],
)
def test_a_folder_that_contradicts_the_one_found_is_no_match(held: bytes, written: list[str]) -> None:
    with pytest.raises(ImageNotFound, match="is not among the images"):
        _finder(held, written=written).find(written[-1])


@pytest.mark.parametrize(
    ("root", "written"),
    [
        (b"/fleet/boat_01", ["boat_01/1.jpg", "boat_02/1.jpg"]),
        (b"/fleet/boat_01", ["boat_02/1.jpg"]),
        (b"/fleet/Anna", ["Anna/1.jpg", "Berta/1.jpg"]),
    ],
    ids=["numbered", "alone", "named"],
)
def test_the_images_own_folder_contradicts_too(root: bytes, written: list[str]) -> None:
    with pytest.raises(ImageNotFound, match="is not among the images"):
        _finder(b"1.jpg", root=root, written=written).find(written[-1])


@pytest.mark.parametrize(
    ("held", "written"),
    [
        pytest.param([b"pics/a/1.jpg", b"pics/b/1.jpg"], ["old/a/1.jpg", "old/b/1.jpg"], id="moved"),
        pytest.param([b"cam1/1.jpg"], ["/data/train/ALB/1.jpg"], id="sorted by species in the competition"),
        pytest.param([b"cam1/1.jpg"], ["images/1.jpg"], id="a folder that only holds"),
        pytest.param([b"DCIM/100MEDIA/1.jpg"], ["card/1.jpg"], id="a card"),
        pytest.param([b"cam1/1.jpg"], ["train2017/1.jpg", "val2017/2.jpg"], id="splits that are not kept apart here"),
        pytest.param([b"1.jpg"], ["/mnt/disk/season/1.jpg"], id="a prefix"),
    ],
)
def test_a_beginning_that_differs_for_all_is_no_contradiction(held: list[bytes], written: list[str]) -> None:
    finder = _finder(*held, written=written)

    assert [finder.find(name).name for name in written[: len(held)]] == [b"1.jpg"] * len(held)


def test_the_same_names_in_two_splits_are_two_images() -> None:
    finder = _finder(b"train/images/0.jpg", b"valid/images/0.jpg")

    assert _folder(finder, "valid/images/0") == "/r/valid/images"
