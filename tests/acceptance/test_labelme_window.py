"""An export opened in the real labelme on a virtual display, edited with mouse and keyboard, and imported on exit.

Runs where Xvfb, xdotool and labelme are found; TAFFRAIL_LABELME names the labelme program where it is not on the PATH,
TAFFRAIL_SCREENSHOTS a folder for what the screen showed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageGrab
from sqlalchemy import Engine

from annotator.labelme.json_files import LabelmeFile, read_labelme
from annotator.labelme.open import OpenRefused, find_labelme
from db.domain.boxes import Box, iou
from db.domain.corrections import Change, Correction
from db.migrate import open_database
from db.session import reading, transaction
from db.store.reviews import current_corrections
from db.tables.images import CameraRow, FileRow, FolderRow, ImageRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import DetectionRow, PredictionRow
from tests.conftest import skip_or_fail
from tests.integration.test_review_export import NOW
from worker.vision.heatmaps import pack_heatmap

CLI = [sys.executable, "-m", "cli.main"]
# A colour that no window part has, so that a screenshot tells where the image is shown.
SEA = (12, 96, 150)
SHOWN = Box(100, 100, 300, 200)
WAIT_S = 60.0
# Long enough for labelme to take one event in before the next; every outcome is waited for by itself.
EVENT_S = 0.15


@dataclass(frozen=True)
class Window:
    """labelme's window on a display of its own; image points are mapped to where the image is shown."""

    display: str
    program: subprocess.Popen[str]

    def screenshot(self, name: str) -> None:
        folder = os.environ.get("TAFFRAIL_SCREENSHOTS")
        if folder:
            ImageGrab.grab(xdisplay=self.display).save(Path(folder) / f"labelme_{name}.png")

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
        left, top, right, bottom = self.image_on_screen()
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

    def image_on_screen(self) -> tuple[int, int, int, int]:
        screen = ImageGrab.grab(xdisplay=self.display).convert("RGB")
        near = [
            band.point(lambda v, w=wanted: 255 if abs(v - w) <= 6 else 0)
            for band, wanted in zip(screen.split(), SEA, strict=True)
        ]
        mask = Image.merge("RGB", near).convert("L").point(lambda v: 255 if v == 255 else 0)
        found = mask.getbbox()
        assert found is not None, "the image is not on the screen"
        return found

    def shows_image(self) -> bool:
        try:
            left, top, right, bottom = self.image_on_screen()
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
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            skip_or_fail(f"{program} is not installed")
    try:
        find_labelme()
    except OpenRefused as refused:
        skip_or_fail(str(refused))
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
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Engine:
    """Three images with a box of ALB each, which the heat map sees elsewhere."""
    home.mkdir(mode=0o700)
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    card = {"input_hw": [36, 64], "species": ["ALB", "NoF"]}
    with transaction(engine) as session:
        session.add(ModelVersionRow(id="m1", state="champion", sha256="0", card=card, note="", created_at=NOW))
        session.add(CameraRow(id=1, name="a"))
        session.flush()
        session.add(FolderRow(id=1, path=os.fsencode(fleet), digest="1", camera_id=1))
        session.flush()
        for number in (1, 2, 3):
            for row in image(fleet / f"fish {number}.jpg", number):
                session.add(row)
                session.flush()
    return engine


def image(path: Path, number: int) -> list[object]:
    """An image that a camera turned: 360 x 640 in the file, 640 x 360 upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (360, 640), SEA).save(path, exif=exif, quality=95, comment=f"{number}".encode())
    heatmap = np.zeros((4, 6, 2))
    heatmap[..., 1] = 0.9
    heatmap[3, 4:6] = (0.9, 0.1)
    image = ImageRow(id=number, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), width_px=640, height_px=360)
    file = FileRow(folder_id=1, name=os.fsencode(path.name), size_bytes=1, mtime_ns=1, image_id=number)
    prediction = PredictionRow(
        id=number, image_id=number, model_version_id="m1", parameters="p", species="ALB", box_probabilities=[0.9, 0.1],
        heatmap_probabilities=[0.9, 0.1], agreement=number / 10, iou=0.1, species_distance=0.2, box_entropy=0.1,
        heatmap_entropy=0.2, box_confidence=0.8, heatmap_confidence=0.7, fish_count=1, infer_ms=1.0, created_at=NOW,
        heatmap=pack_heatmap(heatmap),
    )  # fmt: skip
    detection = DetectionRow(
        id=10 + number, prediction_id=number, head="box_species", species="ALB", confidence=0.9,
        x_min=SHOWN.x_min, y_min=SHOWN.y_min, x_max=SHOWN.x_max, y_max=SHOWN.y_max,
    )  # fmt: skip
    return [image, file, prediction, detection]


@pytest.fixture
def out(tmp_path: Path, home: Path, engine: Engine) -> Path:
    done = subprocess.run(
        [*CLI, "review", "export", str(tmp_path / "out"), "--count", "3"], env=environment(home), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tmp_path / "out"


@pytest.fixture
def labelme(display: str, out: Path, home: Path, tmp_path: Path) -> Iterator[Window]:
    """`cli review open` at work; its labelme has a desktop of its own."""
    desktop = {"DISPLAY": display, "HOME": str(tmp_path), "QT_QPA_PLATFORM": "xcb"}
    program = subprocess.Popen(
        [*CLI, "review", "open", str(out), "--reviewer", "ana"],
        env={**environment(home), **desktop},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    window = Window(display, program)
    try:
        wait_until(lambda: bool(window.windows("labelme")) and window.shows_image(), "its window")
        yield window
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGTERM)
        program.communicate(timeout=20)


def environment(home: Path) -> dict[str, str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    inherited = {name: value for name, value in os.environ.items() if name not in services}
    return {**inherited, "TAFFRAIL_HOME": str(home)}


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
    labelme.screenshot("as_exported")
    delete_the_box_and_draw_another(labelme, out / "00001_fish_1.json")
    labelme.screenshot("deleted_and_drawn")
    labelme.key("d")
    move_the_box(labelme, out / "00002_fish_2.json")
    labelme.screenshot("moved")
    labelme.key("d")

    told = close(labelme)

    assert "3 files: 2 new answers" in told and "corrected: 2" in told and "untouched: 1" in told
    drawn, moved = corrections_by_image(engine)
    assert {drawn.reviewer, moved.reviewer} == {"ana"}
    assert [change.change for change in drawn.changes] == [Change.ADDED, Change.REMOVED]
    assert drawn.label is not None and [box.species for box in drawn.label.boxes] == ["YFT"]
    assert iou(drawn.label.boxes[0].box, Box(350, 40, 550, 140)) > 0.9
    assert [(change.change, change.detection_id) for change in moved.changes] == [(Change.MOVED, 12)]
    assert moved.label is not None
    assert iou(moved.label.boxes[0].box, Box(160, 130, 360, 230)) > 0.9


def close(labelme: Window) -> str:
    """What `cli review open` says once the window is closed."""
    wait_until(lambda: not labelme.windows("labelme"), "it to close", again=lambda: labelme.key("ctrl+q"))
    told, _ = labelme.program.communicate(timeout=WAIT_S)
    assert labelme.program.returncode == 0, told
    return str(told)


def delete_the_box_and_draw_another(labelme: Window, file: Path) -> None:
    def delete() -> None:
        labelme.click(200, 150)
        labelme.key("Delete")
        labelme.key_in_dialog("Return")
        labelme.key("ctrl+s")

    def is_empty() -> bool:
        content = contents(file)
        return content is not None and not content.shapes

    wait_until(is_empty, "the box to be deleted", again=delete)
    labelme.key("ctrl+r")
    labelme.click(350, 40)
    labelme.click(550, 140)
    labelme.type("YFT")
    labelme.key_in_dialog("Return")
    wait_until(lambda: species_shown(file) == ["YFT"], "the drawn box", again=lambda: labelme.key("ctrl+s"))


def move_the_box(labelme: Window, file: Path) -> None:
    def has_moved() -> bool:
        content = contents(file)
        return content is not None and content.shapes[0].points_px[0][0] > 150

    labelme.key("ctrl+j")
    labelme.drag((200, 150), (260, 180))
    wait_until(has_moved, "the moved box", again=lambda: labelme.key("ctrl+s"))


def corrections_by_image(engine: Engine) -> tuple[Correction, Correction]:
    with reading(engine) as session:
        held = current_corrections(session)
    first, second = sorted(held.values(), key=lambda found: len(found.changes), reverse=True)
    return first, second
