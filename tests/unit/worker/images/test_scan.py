"""A scan finds the trip's images, and counts by kind what it leaves aside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
from PIL import features

from db.settings import Settings
from tests.hostile.images import bytes_of, gradient
from worker.images import formats
from worker.images.look_into import look_into
from worker.images.scan import scan_folder
from worker.images.skipped import Skipped, SkippedKind


def _scan(folder: Path) -> tuple[list[str], Skipped]:
    skipped, problems = Skipped(), []
    found = list(
        scan_folder(os.fsencode(folder), on_problem=lambda *problem: problems.append(problem), skipped=skipped)
    )
    assert problems == []
    return [os.path.relpath(os.fsdecode(file.folder + b"/" + file.name), folder) for file in found], skipped


def _write(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_what_cards_and_nas_make_by_themselves_is_never_an_image_of_the_trip(tmp_path: Path) -> None:
    jpeg = bytes_of(gradient(), "JPEG")
    _write(tmp_path, "cam1/0.jpg", "cam1/no_ending", content=jpeg)
    _write(tmp_path, "cam1/._0.jpg", ".hidden/1.jpg", content=jpeg)
    trash = ("@eaDir/0.jpg", "#recycle/0.jpg", "$RECYCLE.BIN/0.jpg", ".Trashes/0.jpg", ".Trash-1000/files/0.jpg")
    _write(tmp_path, *(f"cam1/{name}" for name in trash), "cam1/GOPR0001.THM", content=jpeg)

    found, skipped = _scan(tmp_path)

    assert found == ["cam1/0.jpg", "cam1/no_ending"]
    assert skipped.count(SkippedKind.TRASH) == 6 and skipped.count(SkippedKind.HIDDEN) == 2
    assert skipped.text() == "not looked at: 6 trash and thumbnails; 2 hidden"


def test_other_formats_raw_files_videos_and_linked_folders_are_counted(tmp_path: Path) -> None:
    _write(tmp_path, "trip/0.jpg", "trip/x.GIF", "trip/y.gif", "trip/c.wmv", "trip/notes.txt")
    _write(tmp_path, "trip/r.DNG", content=bytes_of(gradient(), "TIFF"))
    (tmp_path / "disk").mkdir()
    (tmp_path / "trip" / "cam2").symlink_to(tmp_path / "disk")

    found, skipped = _scan(tmp_path / "trip")

    assert found == ["0.jpg"]
    assert skipped.text() == f"not looked at: 2 .gif, 1 .dng, 1 .wmv; 1 links to folders: {tmp_path}/trip/cam2"
    assert skipped.as_json() == {
        "images of other formats": {".gif": 2},
        "raw files": {".dng": 1},
        "videos": {".wmv": 1},
        "other files": {".txt": 1},
        "links to folders": 1,
        "links": [f"{tmp_path}/trip/cam2"],
    }


def test_avif_and_bitmaps_without_a_header_are_images(tmp_path: Path) -> None:
    _write(tmp_path, "a.avif", "b.DIB")

    assert _scan(tmp_path)[0] == ["a.avif", "b.DIB"]


def test_a_folder_of_texts_is_nothing_to_tell(tmp_path: Path) -> None:
    _write(tmp_path, "a.txt", "b.json")

    found, skipped = _scan(tmp_path)

    assert (found, skipped.text()) == ([], "")


@pytest.fixture
def nothing_extra(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation without the extras, and with a Pillow that knows no AVIF."""
    find = util.find_spec
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name in ("av", "pillow_heif") else find(name))
    monkeypatch.setattr(features, "check", lambda name: False)
    formats.readable_endings.cache_clear()
    yield
    monkeypatch.undo()
    formats.readable_endings.cache_clear()


@pytest.mark.usefixtures("nothing_extra")
def test_what_only_an_extra_reads_is_counted_by_its_ending_and_the_way_is_told(tmp_path: Path) -> None:
    _write(tmp_path, "0.jpg", content=bytes_of(gradient(), "JPEG"))
    _write(tmp_path, "a.mp4", "b.MP4", "c.heic", "d.avif", "e.avif")
    skipped, problems = Skipped(), []
    home = Settings(home=tmp_path / "home")

    _, files = look_into(
        os.fsencode(tmp_path), home, on_problem=lambda *problem: problems.append(problem), skipped=skipped
    )

    assert ([file.name for file in files], problems) == ([b"0.jpg"], [])
    assert skipped.text() == (
        "not looked at: 2 .avif, 1 .heic, 2 .mp4 (pip install 'taffrail-fish[heif]' reads HEIC; "
        "a Pillow that is built with AVIF reads it; pip install 'taffrail-fish[video]' reads videos)"
    )
    assert skipped.as_json() == {"images of other formats": {".avif": 2, ".heic": 1}, "videos": {".mp4": 2}}
