"""The loop through the command line, real networks and processes: error_probability, answer, learn, gate, serve,
rank anew.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from db.settings import get_settings
from tests.drawn_fish import LABELS, draw_fish
from worker.models.names import DetectorKind
from worker.steps.requests import TrainRequest
from worker.steps.train import train
from worker.training.data.samples import TrainingSample

CLI = [sys.executable, "-m", "cli.main"]
KINDS = ("ALB", "LAG", "NoF")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME of its own, where eight corrected images make a retraining due."""
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAFFRAIL_SPECIES", raising=False)
    monkeypatch.setenv("TAFFRAIL_RETRAIN_AFTER", "8")
    monkeypatch.setenv("TAFFRAIL_FLAG_BELOW", "1")
    return tmp_path / "home"


def test_corrections_make_a_better_model_that_serves_by_itself(home: Path, tmp_path: Path) -> None:
    _labelled_fleet(tmp_path / "fleet")
    _trip_with_truth(tmp_path / "trip")
    coco = [str(tmp_path / "coco.json"), "--format", "coco", "--images", str(tmp_path / "fleet")]
    _cli("labels", "import", *coco, "--species", ",".join(LABELS.fish))
    first = _poor_first_model()
    _cli("enqueue", str(tmp_path / "trip/images"))

    _cli("review", "export", str(tmp_path / "review"), "--count", "24")
    _cli("review", "simulate", str(tmp_path / "review"), "--truth", str(tmp_path / "trip/truth.json"))
    _cli("review", "import", str(tmp_path / "review"), "--reviewer", "ana")
    _run_scheduler_until("retraining: ")

    schedule = json.loads(_cli("schedule", "show", "--json"))
    (run,) = schedule["retrainings"]
    assert run["state"] == "promoted", run["note"]
    assert run["why"].endswith("images were corrected since the last retraining") and schedule["due"] is None
    serving = json.loads(_cli("models", "show", run["model_id"], "--json"))
    assert serving["state"] == "champion" and serving["card"]["parent"] == first

    # What was flagged and shown to nobody was inferred again by itself; the rest waits for `enqueue --stale`.
    (job,) = json.loads(_cli("status", "--json"))
    assert job["done"] == 36 and job["stale"] == 24
    assert f"model {first} serves again" in _cli("models", "rollback")


def _poor_first_model() -> str:
    """A champion that went once through the labels; trained here, which spares the start of a process."""
    get_settings.cache_clear()
    # Seven of the trunk's sixteen blocks tell red from blue, too; every process here builds and loads them.
    lesson = {"kind": str(DetectorKind.LESSON), "layer": "block6_add"}
    asked = {**lesson, "input_hw": [64, 96], "epochs": 1, "second_stage": "none"}
    return train(TrainRequest.model_validate(asked), lambda *_: None).model


def _labelled_fleet(folder: Path) -> None:
    """Thirty labelled images of five boats, and a COCO file beside them."""
    samples = [_draw(folder, number, f"boat_{number // 3 % 5}") for number in range(30)]
    names = [os.path.relpath(os.fsdecode(sample.file), folder) for sample in samples]
    boxes = [
        (number, box)
        for number, sample in enumerate(samples)
        for box in ([labelled.box for labelled in sample.label.boxes])
    ]
    coco = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "categories": [{"id": LABELS.index(name), "name": name} for name in LABELS.names],
        "annotations": [
            {
                "id": place,
                "image_id": number,
                "category_id": LABELS.index(samples[number].label.species),
                "bbox": [box.x_min, box.y_min, box.x_max - box.x_min, box.y_max - box.y_min],
            }
            for place, (number, box) in enumerate(boxes)
        ],
    }
    (folder.parent / "coco.json").write_text(json.dumps(coco))


def _trip_with_truth(folder: Path) -> None:
    """Thirty-six images of three other boats, which only the truth knows."""
    samples = [_draw(folder / "images", 100 + number, f"boat_{5 + number // 3 % 3}") for number in range(36)]
    truth = {"images": [_truth(sample, folder / "images") for sample in samples]}
    (folder / "truth.json").write_text(json.dumps(truth))


def _draw(folder: Path, number: int, camera: str) -> TrainingSample:
    (folder / camera).mkdir(parents=True, exist_ok=True)
    return draw_fish(folder / camera, number, KINDS[number % 3], camera)


def _truth(sample: TrainingSample, root: Path) -> dict[str, object]:
    fish = [
        {
            "species": labelled.species,
            "box": list(labelled.box.xyxy),
            "head": list(labelled.box.xyxy[:2]),
            "tail": list(labelled.box.xyxy[2:]),
        }
        for labelled in sample.label.boxes
    ]
    return {
        "file": os.path.relpath(os.fsdecode(sample.file), root),
        "species": sample.label.species,
        "fish": fish,
    }


def _run_scheduler_until(said: str) -> None:
    """Run the scheduler until it says so, then end it as a service manager does."""
    running = subprocess.Popen([*CLI, "scheduler"], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    try:
        heard: list[str] = []
        for line in running.stderr:
            heard.append(line)
            if said in line:
                break
        assert heard and said in heard[-1], "".join(heard)
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
        running.stderr.close()


def _cli(*arguments: str, ends_with: Sequence[int] = (0,)) -> str:
    done = subprocess.run([*CLI, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in ends_with, done.stdout + done.stderr
    return done.stdout
