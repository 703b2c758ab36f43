"""An export opened in the real labelme on a virtual display, edited with mouse and keyboard, and imported.

Runs where Xvfb, xdotool and labelme are found; TAFFRAIL_LABELME names the labelme program where it is not on the PATH.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageGrab
from sqlalchemy import Engine

from annotator.export import ExportItem, Region, WrittenExport, write_export
from annotator.exported import shape_to_json
from annotator.import_corrections import import_reviews
from annotator.labelme_json import LabelmeFile, read_labelme
from db.domain.boxes import Box, iou
from db.domain.corrections import Change, Correction, Outcome
from db.domain.predictions import Detection, Head
from db.domain.results import StoredDetection
from db.domain.species import DEFAULT_LABEL_SET
from db.migrate import open_database
from db.session import reading, transaction
from db.store.reviews import NewReviewItem, current_corrections, record_export
from db.tables import ImageRow

LABELME = os.environ.get("TAFFRAIL_LABELME") or shutil.which("labelme")
MISSING = [
    name for name, found in (("Xvfb", shutil.which("Xvfb")), ("xdotool", shutil.which("xdotool")), ("labelme", LABELME))
    if not found
]  # fmt: skip
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

# A colour that no window part has, so that a screenshot tells where the picture is shown.
SEA = (12, 96, 150)
SHOWN = Box(100, 100, 300, 200)
WAIT_S = 60.0
# Long enough for labelme to take one event in before the next; every outcome is waited for by itself.
EVENT_S = 0.15


@dataclass(frozen=True)
class Window:
    """labelme's window on a display of its own; picture points are mapped to where the picture is shown."""

    display: str

    def key(self, key: str) -> None:
        # Without a window manager nobody gives the focus back when a dialog closes.
        for window in self.windows("labelme")[:1]:
            self._do("windowfocus", window, check=False)
        self.key_in_dialog(key)

    def key_in_dialog(self, key: str) -> None:
        self._do("key", "--clearmodifiers", key)

    def type(self, text: str) -> None:
        self._do("type", text)

    def point(self, x_px: float, y_px: float) -> None:
        left, top, right, bottom = self.picture_on_screen()
        x, y = left + x_px * (right - left) / 640, top + y_px * (bottom - top) / 360
        self._do("mousemove", str(round(x)), str(round(y)))

    def click(self, x_px: float, y_px: float) -> None:
        self.point(x_px, y_px)
        self._do("click", "1")

    def drag(self, start_px: tuple[float, float], end_px: tuple[float, float]) -> None:
        self.point(*start_px)
        self._do("mousedown", "1")
        for part in (0.3, 0.6, 1.0):
            self.point(*(a + part * (b - a) for a, b in zip(start_px, end_px, strict=True)))
        self._do("mouseup", "1")

    def picture_on_screen(self) -> tuple[int, int, int, int]:
        screen = ImageGrab.grab(xdisplay=self.display).convert("RGB")
        near = [
            band.point(lambda v, w=wanted: 255 if abs(v - w) <= 6 else 0)
            for band, wanted in zip(screen.split(), SEA, strict=True)
        ]
        mask = Image.merge("RGB", near).convert("L").point(lambda v: 255 if v == 255 else 0)
        found = mask.getbbox()
        assert found is not None, "the picture is not on the screen"
        return found

    def shows_picture(self) -> bool:
        try:
            left, top, right, bottom = self.picture_on_screen()
        except AssertionError:
            return False
        return right - left > 200 and bottom - top > 100

    def windows(self, name: str) -> list[str]:
        return self._do("search", "--onlyvisible", "--name", name, check=False).split()

    def _do(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["xdotool", *words],
            env={**os.environ, "DISPLAY": self.display},
            check=check,
            capture_output=True,
            text=True,
        )
        time.sleep(EVENT_S)
        return done.stdout


def wait_until(true: Callable[[], bool], what: str, *, again: Callable[[], None] | None = None) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, f"labelme: waited {WAIT_S:g} s for {what}"
        time.sleep(0.3)
        if again is not None and not true():
            again()


@pytest.fixture
def display() -> Iterator[str]:
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        number = numbers.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_database(f"sqlite:///{tmp_path / 'test.db'}")
    return engine


@pytest.fixture
def out(tmp_path: Path, engine: Engine) -> Path:
    items = [picture(tmp_path / f"fish {number}.jpg", number, engine=engine) for number in (1, 2, 3)]

    def record(written: WrittenExport) -> None:
        new = [
            NewReviewItem(
                number=one.number,
                image_id=one.item.image_id,
                prediction_id=None,
                at_random=False,
                why=one.item.why,
                width_px=640,
                height_px=360,
                shapes=tuple(map(shape_to_json, one.state.shapes)),
            )
            for one in written.items
        ]
        with transaction(engine) as session:
            record_export(session, new, export_id="e1", folder=b"", model_version=None, flag_below=None)

    write_export(tmp_path / "out", items, export_id="e1", label_set=DEFAULT_LABEL_SET, before_visible=record)
    return tmp_path / "out"


def picture(path: Path, number: int, *, engine: Engine) -> ExportItem:
    """A picture that a camera turned: 360 x 640 in the file, 640 x 360 upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (360, 640), SEA).save(path, exif=exif, quality=95, comment=f"{number}".encode())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with transaction(engine) as session:
        session.add(ImageRow(id=number, sha256=sha256, width_px=640, height_px=360))
    found = StoredDetection(10 + number, Detection(SHOWN, "ALB", 0.9, Head.BOX_SPECIES), None)
    region = Region("ALB", ((400.0, 250.0), (440.0, 250.0), (420.0, 280.0)))
    return ExportItem(
        image_id=number,
        sha256=sha256,
        file=os.fsencode(path),
        shown_path=path.name,
        camera="cam1",
        width_px=640,
        height_px=360,
        why="heads differ",
        detections=(found,),
        regions=(region,),
    )


@pytest.fixture
def labelme(out: Path, display: str, tmp_path: Path) -> Iterator[Window]:
    home = tmp_path / "home"
    home.mkdir()
    words = ["--flags", "flags.txt", "--labels", "labels.txt", "--validate-label", "exact"]
    with (tmp_path / "labelme.log").open("wb") as log:
        program = subprocess.Popen(
            [str(LABELME), ".", *words],
            cwd=out,
            env={**os.environ, "DISPLAY": display, "HOME": str(home), "QT_QPA_PLATFORM": "xcb"},
            stdout=log,
            stderr=log,
        )
    window = Window(display)
    try:
        wait_until(lambda: bool(window.windows("labelme")) and window.shows_picture(), "its window")
        yield window
    finally:
        program.terminate()
        program.wait(timeout=20)


def species_shown(file: Path) -> list[str]:
    """The labels in a file; none while labelme is writing it."""
    content = contents(file)
    return [] if content is None else [shape.label for shape in content.shapes]


def contents(file: Path) -> LabelmeFile | None:
    try:
        return read_labelme(file)
    except Exception:
        return None


def test_edits_in_the_real_labelme_come_back_as_exactly_those_changes(
    labelme: Window, out: Path, engine: Engine
) -> None:
    delete_the_box_and_draw_another(labelme, out / "00001_fish_1.json")
    labelme.key("d")
    move_the_box(labelme, out / "00002_fish_2.json")
    labelme.key("d")

    summary = import_reviews(out, engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="ana")

    assert (summary.added, summary.problems) == (2, ())
    assert summary.outcomes == {Outcome.CORRECTED: 2, Outcome.UNTOUCHED: 1}
    drawn, moved = corrections_by_picture(engine)
    assert [change.change for change in drawn.changes] == [Change.ADDED, Change.REMOVED]
    assert drawn.label is not None and [box.species for box in drawn.label.boxes] == ["YFT"]
    assert iou(drawn.label.boxes[0].box, Box(350, 40, 550, 140)) > 0.9
    assert [(change.change, change.detection_id) for change in moved.changes] == [(Change.MOVED, 12)]
    assert moved.label is not None
    assert iou(moved.label.boxes[0].box, Box(160, 130, 360, 230)) > 0.9


def delete_the_box_and_draw_another(labelme: Window, file: Path) -> None:
    def delete() -> None:
        labelme.click(200, 150)
        labelme.key("Delete")
        labelme.key_in_dialog("Return")
        labelme.key("ctrl+s")

    wait_until(lambda: species_shown(file) == ["ALB"], "the box to be deleted", again=delete)
    labelme.key("ctrl+r")
    labelme.click(350, 40)
    labelme.click(550, 140)
    labelme.type("YFT")
    labelme.key_in_dialog("Return")
    wait_until(lambda: species_shown(file) == ["ALB", "YFT"], "the drawn box", again=lambda: labelme.key("ctrl+s"))


def move_the_box(labelme: Window, file: Path) -> None:
    def has_moved() -> bool:
        content = contents(file)
        return content is not None and content.shapes[0].points_px[0][0] > 150

    labelme.key("ctrl+j")
    labelme.drag((200, 150), (260, 180))
    wait_until(has_moved, "the moved box", again=lambda: labelme.key("ctrl+s"))


def corrections_by_picture(engine: Engine) -> tuple[Correction, Correction]:
    with reading(engine) as session:
        held = current_corrections(session)
    first, second = sorted(held.values(), key=lambda found: len(found.changes), reverse=True)
    return first, second
