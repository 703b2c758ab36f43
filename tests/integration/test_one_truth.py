"""One job, partly reviewed, in every format and in the report: each pair says the same of every image."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, update

from annotator.export.export_flagged import ReviewExportOptions, export_flagged
from annotator.labelme.json_files import read_labelme
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET
from db.migrate import open_database
from db.session import transaction
from db.settings import Settings
from db.store.results import iterate_results
from db.store.review_queue import QueueFilter
from db.tables.images import ImageRow
from tests.answers import store_answers
from tests.factories import finished_job, write_images
from worker.report.summary import summarise
from worker.report.write import ReportOptions, write_report
from worker.results.export import export_results
from worker.results.names import ResultFormat
from worker.results.options import ResultOptions

IMAGES, WIDTH_PX, HEIGHT_PX = 12, 320, 180
SHARES = (1 / WIDTH_PX, 1 / HEIGHT_PX) * 2
FISH = DEFAULT_LABEL_SET.fish


@dataclass(frozen=True)
class Told:
    """What a format says of an image; None where it has no place for that. boxes: (species, xyxy to 4 pixels)."""

    species: str | None = None
    fish: Counter[str] | None = None
    boxes: frozenset[tuple[str, tuple[int, ...]]] | None = None
    flagged: bool | None = None

    def differs_from(self, other: Told) -> bool:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return any(mine != theirs for mine, theirs in pairs if mine is not None and theirs is not None)


Reader = Callable[[Path], dict[str, Told]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Told]]:
    """What every format says of a job of which people answered a third: other species, a new fish, no fish, unsure."""
    folder = tmp_path_factory.mktemp("truth")
    write_images(folder / "images", IMAGES)
    engine = open_database(f"sqlite:///{folder / 'taffrail.db'}")
    settings = finished_job(engine, folder / "home", folder / "images")
    labelme = _labelme(engine, folder / "review")
    with transaction(engine) as session:
        session.execute(update(ImageRow).values(captured_at="2024-03-02T01:02:03"))
    answered = [result.sha256 for result in iterate_results(engine, 1)][:4]
    box, other = LabelledBox(Box(8, 8, 80, 60), "SHARK"), LabelledBox(Box(100, 80, 300, 170), "DOL")
    words = [ImageLabel("SHARK", (box,)), ImageLabel("DOL", (box, other)), ImageLabel("NoF"), None]
    store_answers(engine, {sha256: said for sha256, said in zip(answered, words, strict=True) if sha256})
    found = {
        f"{kind} {truth}": _read(engine, settings, folder, kind, truth=truth)
        for kind in READERS
        for truth in (True, False)
    }
    found["report True"] = _report(engine, settings, folder / "report")
    found["labelme False"] = labelme
    found["counts"] = {"summary": _summary(engine)}
    engine.dispose()
    return found


@pytest.mark.parametrize("truth", [True, False], ids=["people first", "the model alone"])
def test_every_pair_of_formats_says_the_same(told: dict[str, dict[str, Told]], truth: bool) -> None:
    formats = {name: said for name, said in told.items() if name.endswith(str(truth))}

    differing = [
        (one, other, image)
        for one, other in itertools.combinations(formats, 2)
        for image in formats[one].keys() & formats[other].keys()
        if formats[one][image].differs_from(formats[other][image])
    ]

    assert differing == []
    assert {name: len(said) for name, said in formats.items()} == dict.fromkeys(formats, IMAGES)


def test_people_were_heard_and_the_model_did_not_say_the_same(told: dict[str, dict[str, Told]]) -> None:
    people, model = told["json True"], told["json False"]

    changed = [image for image in people if people[image].differs_from(model[image])]

    assert len(changed) >= 3
    assert not any(people[image].flagged for image in changed)


def test_the_counts_of_the_report_are_those_of_the_formats(told: dict[str, dict[str, Told]]) -> None:
    counted = told["counts"]["summary"]

    for name in ("json True", "csv True", "report True"):
        fish = sum((one.fish for one in told[name].values() if one.fish), Counter[str]())
        assert fish == counted.fish, name
        assert Counter(one.species for one in told[name].values()) == Counter(dict(counted.boxes or ())), name


def _summary(engine: Engine) -> Told:
    found = summarise(iterate_results(engine, 1), max_images=5, flag_below=0.5)
    return Told(fish=+found.fish, boxes=frozenset(found.species.items()))  # type: ignore[arg-type]


def _read(engine: Engine, settings: Settings, folder: Path, kind: ResultFormat, *, truth: bool) -> dict[str, Told]:
    out = folder / f"{kind}-{truth}"
    options = ResultOptions(kind, flag_below=settings.flag_below, truth=truth, position=(-21.5, 55.25))
    done = export_results(engine, 1, out, options, default=settings.label_set)
    assert done.problems == [] and done.left_out == 0
    return READERS[kind](out)


def _json(out: Path) -> dict[str, Told]:
    return {
        one["file"]: _boxed(
            [(box["species"], box["box"]) for box in one["answer"]["boxes"]], one["final_species"], one["flagged"]
        )
        for one in json.loads(out.read_text("utf-8"))["images"]
    }


def _csv(out: Path) -> dict[str, Told]:
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    fish = {row["file"]: [part.split(":") for part in row["fish_by_species"].split()] for row in rows}
    return {
        row["file"]: Told(
            species=row["final_species"],
            fish=Counter({name: int(count) for name, count in fish[row["file"]]}),
            flagged=row["flagged"] == "yes",
        )
        for row in rows
    }


def _coco(out: Path) -> dict[str, Told]:
    document = json.loads(out.read_text("utf-8"))
    names = {one["id"]: one["name"] for one in document["categories"]}
    boxes: dict[int, list[tuple[str, list[float]]]] = {one["id"]: [] for one in document["images"]}
    for one in document["annotations"]:
        x, y, width, height = one["bbox"]
        boxes[one["image_id"]].append((names[one["category_id"]], [x, y, x + width, y + height]))
    return {one["file_name"]: _boxed(boxes[one["id"]], one["final_species"]) for one in document["images"]}


def _megadetector(out: Path) -> dict[str, Told]:
    document = json.loads(out.read_text("utf-8"))
    names = document["classification_categories"]
    found = {}
    for image in document["images"]:
        boxes = []
        for one in image["detections"]:
            x, y, width, height = one["bbox"]
            sides = [x, y, x + width, y + height]
            boxes.append((names[one["classifications"][0][0]], _pixels(sides)))
        found[image["file"]] = _boxed(boxes)
    return found


def _yolo(out: Path) -> dict[str, Told]:
    names = yaml.safe_load((out / "data.yaml").read_text())["names"]
    found = {}
    for image in (out / "images").rglob("*.jpg"):
        boxes = []
        for line in (out / "labels" / f"{image.stem}.txt").read_text().splitlines():
            number, *values = line.split()
            x, y, width, height = map(float, values)
            sides = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            boxes.append((names[int(number)], _pixels(sides)))
        found[image.name] = _boxed(boxes)
    return found


def _kaggle(out: Path) -> dict[str, Told]:
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["image"]: Told(species=max(DEFAULT_LABEL_SET.names, key=lambda name: float(row[name]))) for row in rows}


def _labelme_folder(out: Path) -> dict[str, Told]:
    found = {}
    for file in out.glob("*.json"):
        held = read_labelme(file)
        boxes = [(shape.label, [*shape.points_px[0], *shape.points_px[1]]) for shape in held.shapes]
        found[held.image_path] = _boxed(boxes)
    return found


def _ncfm(out: Path) -> dict[str, Told]:
    boxes: dict[str, list[tuple[str, list[float]]]] = defaultdict(list)
    for species in DEFAULT_LABEL_SET.names:
        for record in json.loads((out / f"{species}_labels.json").read_text("utf-8")):
            held = boxes[record["filename"]]
            for one in record["annotations"]:
                x, y = one["x"], one["y"]
                held.append((species, [x, y, x + one["width"], y + one["height"]]))
    return {name: _boxed(held) for name, held in boxes.items()}


def _camera_traps(out: Path) -> dict[str, Told]:
    document = json.loads(out.read_text("utf-8"))
    names = {one["id"]: one["name"] for one in document["categories"]}
    boxes: dict[str, list[tuple[str, list[float]]]] = defaultdict(list)
    for one in document["annotations"]:
        x, y, width, height = one.get("bbox") or (0, 0, 0, 0)
        if one.get("bbox"):
            boxes[one["image_id"]].append((names[one["category_id"]], [x, y, x + width, y + height]))
    return {one["file_name"]: _boxed(boxes[one["id"]]) for one in document["images"]}


def _camtrap_dp(out: Path) -> dict[str, Told]:
    media, observations = (list(csv.DictReader((out / f"{name}.csv").open())) for name in ("media", "observations"))
    boxes: dict[str, list[tuple[str, list[float]]]] = defaultdict(list)
    for one in observations:
        if one["bboxX"]:
            x, y, width, height = (float(one[f"bbox{side}"]) for side in ("X", "Y", "Width", "Height"))
            boxes[one["mediaID"]].append((one["scientificName"], _pixels([x, y, x + width, y + height])))
    return {one["filePath"]: _boxed(boxes[one["mediaID"]]) for one in media}


READERS: dict[ResultFormat, Reader] = {
    ResultFormat.JSON: _json,
    ResultFormat.CSV: _csv,
    ResultFormat.COCO: _coco,
    ResultFormat.MEGADETECTOR: _megadetector,
    ResultFormat.YOLO: _yolo,
    ResultFormat.KAGGLE: _kaggle,
    ResultFormat.LABELME: _labelme_folder,
    ResultFormat.NCFM: _ncfm,
    ResultFormat.COCO_CAMERA_TRAPS: _camera_traps,
    ResultFormat.CAMTRAP_DP: _camtrap_dp,
}


def _report(engine: Engine, settings: Settings, out: Path) -> dict[str, Told]:
    write_report(engine, settings, 1, out, ReportOptions(processes=1))
    text = (out / "data.js").read_text("ascii")
    images: list[dict[str, Any]] = json.loads(text.removeprefix("window.TAFFRAIL = ").rstrip(";\n"))["images"]
    return {
        one["name"]: _boxed(
            [(box["species"], _pixels(box["box"])) for box in one["boxes"] if box["answer"]],
            one["species"],
            one["flagged"],
        )
        for one in images
    }


def _labelme(engine: Engine, out: Path) -> dict[str, Told]:
    """What a person is shown: the model's answer, before anybody said anything."""
    options = ReviewExportOptions(count=IMAGES, random_share=0.5, label_set=DEFAULT_LABEL_SET)
    export_flagged(out, QueueFilter("noop", below=0.5), options, engine=engine, rng=Random(0))
    found = {}
    for file in out.glob("0*.json"):
        held = read_labelme(file)
        boxes = [(shape.label, [*shape.points_px[0], *shape.points_px[1]]) for shape in held.shapes]
        found[held.image_path.split("_", 1)[1]] = _boxed(boxes)
    return found


def _boxed(boxes: list[tuple[str, Any]], species: str | None = None, flagged: bool | None = None) -> Told:
    fish = Counter(name for name, _ in boxes)
    places = frozenset((name, tuple(round(side / 4) for side in sides)) for name, sides in boxes)
    return Told(species=species, fish=fish, boxes=places, flagged=flagged)


def _pixels(shares: list[float]) -> list[float]:
    return [share / side for share, side in zip(shares, SHARES, strict=True)]
