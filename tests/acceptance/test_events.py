"""Every animal once, as typed: videos and images in, a kill in mid-video, events out, one look an animal."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.acceptance.commands import run_cli, start_cli
from tests.drawn_videos import write_video
from tests.factories import add_noop_champion, write_images

_FRAMES = 20
_PATIENCE_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    make_home(home)
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    add_noop_champion(engine, Settings(home=home).models_dir)
    engine.dispose()
    return {"TAFFRAIL_HOME": str(home), "TAFFRAIL_LEASE_S": "2", "TAFFRAIL_BATCH_ITEMS": "4"}


def test_videos_and_images_become_animals_that_a_person_looks_at_once(settings: dict[str, str], tmp_path: Path) -> None:
    trip = _trip(tmp_path / "trip")

    _kill_in_mid_video(trip, settings, tokens=tmp_path / "tokens")
    resumed = _json("enqueue", str(trip), "--every", "500ms", settings=settings)
    assert (resumed["total"], resumed["done"]) == (_FRAMES + 3, _FRAMES + 3)

    found = _json("events", "find", "1", settings=settings)
    rows = _events_csv(tmp_path / "events.csv", settings)
    assert found["images"] == _FRAMES  # the three stills tell no time, and it is told
    assert "3 images tell no time" in " ".join(found["notes"])
    assert len(rows) == found["events"] > 0
    assert {row["camera"] for row in rows} == {"cam1"}

    said = _answer_each_event(tmp_path / "looks", settings)
    assert said == len(rows)
    events = _json("events", "list", "1", settings=settings)["events"]
    assert {(event["state"], event["species"], event["reviewer"]) for event in events} == {
        ("confirmed", "SHARK", "ann")
    }
    assert _animals_told(settings) == {"SHARK": len(rows), "all fish": len(rows)}
    whole = tmp_path / "all.json"
    _cli("results", "1", "--format", "json", "--out", str(whole), settings=settings)
    assert {event["species"] for event in json.loads(whole.read_text())["events"]} == {"SHARK"}


def test_a_follower_that_nobody_trained_is_asked_for_in_one_line(settings: dict[str, str]) -> None:
    done = run_cli("evaluate", "--events", settings=settings)

    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0 and "cli train --events" in done.stderr


def test_drawn_sequences_tell_each_animal_and_their_images_tell_the_time(
    settings: dict[str, str], tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet"
    words = ("--sequences", "--images", "12", "--cameras", "2", "--per-second", "0.2", "--scale", "0.1", "--seed", "3")
    _cli("sample", str(fleet), *words, settings=settings)

    done = _json("enqueue", str(fleet / "images"), settings=settings)
    found = _json("events", "find", "1", settings=settings)

    assert done["done"] == found["images"] == 12
    assert found["notes"] == []


def _trip(trip: Path) -> Path:
    """Write a video of ten seconds with a clock, and three stills that tell no time."""
    (trip / "cam1").mkdir(parents=True)
    times_s = [number / 2 for number in range(_FRAMES)]
    write_video(trip / "cam1" / "clip.mp4", times_s=times_s, created="2024-05-06T07:08:00Z", rate=2)
    write_images(trip / "cam2", 3)
    return trip


def _kill_in_mid_video(trip: Path, settings: Mapping[str, str], *, tokens: Path) -> None:
    """Kill the command and its worker once a first batch of the video is stored."""
    tokens.mkdir()
    (tokens / "one").touch()
    slow = {"TAFFRAIL_FAIL_AT": f"committed=tell:{tokens},inferred=pause:0.3"}
    running = start_cli("enqueue", str(trip), "--every", "500ms", settings={**settings, **slow})
    ends = time.monotonic() + _PATIENCE_S
    while any(tokens.iterdir()) and running.poll() is None and time.monotonic() < ends:
        time.sleep(0.02)
    assert running.poll() is None, "the job ended before it could be killed"
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()


def _events_csv(out: Path, settings: Mapping[str, str]) -> list[dict[str, str]]:
    _cli("results", "1", "--format", "events", "--out", str(out), settings=settings)
    return list(csv.DictReader(out.open()))


def _answer_each_event(folder: Path, settings: Mapping[str, str]) -> int:
    """Let a person call every animal a shark; return how many images they were shown."""
    _cli("review", "export", str(folder), "--by", "event", "--job", "1", settings=settings)
    files = sorted(folder.glob("0*.json"))
    for file in files:
        content = json.loads(file.read_text())
        content["shapes"] = [{**shape, "label": "SHARK"} for shape in content["shapes"]]
        content["flags"]["reviewed"] = True
        file.write_text(json.dumps(content))
    _cli("review", "import", str(folder), "--reviewer", "ann", settings=settings)
    return len(files)


def _animals_told(settings: Mapping[str, str]) -> dict[str, float]:
    """Return how many animals the summary says that the model sees, and check that it says what it counts."""
    told = _json("summary", "1", settings=settings)
    assert told["counts"] == "animals"
    assert "counted: every animal once" in _cli("summary", "1", settings=settings)
    assert "counted: fish in each image" in _cli("summary", "1", "--count", "fish", settings=settings)
    return {one["figure"]: round(one["model"], 6) for one in told["figures"]}


def _cli(*words: str, settings: Mapping[str, str]) -> str:
    done = run_cli(*words, settings=settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _json(*words: str, settings: Mapping[str, str]) -> dict:  # type: ignore[type-arg]
    found = json.loads(_cli(*words, "--json", settings=settings))
    assert isinstance(found, dict)
    return found
