"""Camtrap DP 1.0.2: a data package of deployments, media and observations, for GBIF and camera-trap platforms.

A camera's images of the job are one deployment. Where it stood must be told (`--position`): a package without places is
none, and ships move. Source: https://camtrap-dp.tdwg.org, version 1.0.2.
"""

from __future__ import annotations

import csv
import json
import mimetypes
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer
from db.domain.results import ImageResult
from db.domain.species import NO_FISH
from worker.results.files import OutputError, new_folder
from worker.results.options import Export, now_text

VERSION = "1.0.2"
_SCHEMAS = f"https://raw.githubusercontent.com/tdwg/camtrap-dp/{VERSION}"
_DEPLOYMENTS = [
    "deploymentID",
    "locationID",
    "locationName",
    "latitude",
    "longitude",
    "coordinateUncertainty",
    "deploymentStart",
    "deploymentEnd",
    "setupBy",
    "cameraID",
    "cameraModel",
    "cameraDelay",
    "cameraHeight",
    "cameraDepth",
    "cameraTilt",
    "cameraHeading",
    "detectionDistance",
    "timestampIssues",
    "baitUse",
    "featureType",
    "habitat",
    "deploymentGroups",
    "deploymentTags",
    "deploymentComments",
]
_MEDIA = [
    "mediaID",
    "deploymentID",
    "captureMethod",
    "timestamp",
    "filePath",
    "filePublic",
    "fileName",
    "fileMediatype",
    "exifData",
    "favorite",
    "mediaComments",
]
_OBSERVATIONS = [
    "observationID",
    "deploymentID",
    "mediaID",
    "eventID",
    "eventStart",
    "eventEnd",
    "observationLevel",
    "observationType",
    "cameraSetupType",
    "scientificName",
    "count",
    "lifeStage",
    "sex",
    "behavior",
    "individualID",
    "individualPositionRadius",
    "individualPositionAngle",
    "individualSpeed",
    "bboxX",
    "bboxY",
    "bboxWidth",
    "bboxHeight",
    "classificationMethod",
    "classifiedBy",
    "classificationTimestamp",
    "classificationProbability",
    "observationTags",
    "observationComments",
]

Row = dict[str, object]


@dataclass
class _Package:
    """What goes by while the tables are written. spans: first and last moment of each camera."""

    spans: dict[str, tuple[str, str]] = field(default_factory=dict)
    species: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder. Images without a time or a size have no place in it and are returned.

    Raises:
        OutputError: nobody told where the cameras stood.
    """
    if export.options.position is None:
        raise OutputError(f"{out}: Camtrap DP needs where the cameras stood; give --position LATITUDE,LONGITUDE")
    package = _Package()
    with new_folder(out) as folder:
        with (
            (folder / "media.csv").open("w", encoding="utf-8", newline="") as media_file,
            (folder / "observations.csv").open("w", encoding="utf-8", newline="") as observations_file,
        ):
            media, observations = _table(media_file, _MEDIA), _table(observations_file, _OBSERVATIONS)
            for result in results:
                _write_image(result, export, package, media, observations)
        with (folder / "deployments.csv").open("w", encoding="utf-8", newline="") as file:
            _table(file, _DEPLOYMENTS).writerows(_deployments(package, export.options.position))
        descriptor = json.dumps(_descriptor(package, export), ensure_ascii=False, indent=2)
        (folder / "datapackage.json").write_text(descriptor, encoding="utf-8")
    return package.problems


def _table(file: IO[str], names: list[str]) -> csv.DictWriter[str]:
    rows = csv.DictWriter(file, names, restval="", lineterminator="\n")
    rows.writeheader()
    return rows


def _write_image(
    result: ImageResult,
    export: Export,
    package: _Package,
    media: csv.DictWriter[str],
    observations: csv.DictWriter[str],
) -> None:
    answer = export.answer(result)
    if answer is None or not result.width_px or not result.height_px:
        package.problems.append(f"{result.path}: its size is not known")
        return
    if result.captured_at is None:
        package.problems.append(f"{result.path}: nothing tells when it was taken")
        return
    moment = f"{result.captured_at[:19]}{export.options.utc_offset}"
    first, last = package.spans.get(result.camera, (moment, moment))
    package.spans[result.camera] = (min(first, moment), max(last, moment))
    media.writerow(_media(result, moment))
    for number, row in enumerate(_observations(result, answer, moment), start=1):
        observations.writerow({"observationID": f"o{result.item_id}-{number}", **row})
        if row.get("scientificName"):
            package.species[str(row["scientificName"])] = None


def _media(result: ImageResult, moment: str) -> Row:
    return {
        "mediaID": f"m{result.item_id}",
        "deploymentID": result.camera,
        "captureMethod": "timeLapse",
        "timestamp": moment,
        "filePath": result.path,
        "filePublic": "false",
        "fileName": Path(result.path).name,
        "fileMediatype": mimetypes.guess_type(result.path)[0] or "image/jpeg",
        "mediaComments": result.note or "",
    }


def _observations(result: ImageResult, answer: FinalAnswer, moment: str) -> Iterator[Row]:
    """Yield a row a fish, one of a fish that nobody boxed, or one that says "blank"."""
    shared: Row = {
        "deploymentID": result.camera,
        "mediaID": f"m{result.item_id}",
        "eventStart": moment,
        "eventEnd": moment,
        "observationLevel": "media",
        **_classified(result, answer),
    }
    if answer.species == NO_FISH:
        yield {**shared, "observationType": "blank", "classificationProbability": _share(answer.probability)}
    elif not answer.boxes:
        probability = _share(answer.probability)
        yield {**shared, **_animal(answer.species), "classificationProbability": probability}
    for found in answer.boxes:
        yield {
            **shared,
            **_animal(found.species),
            **_box(found, result),
            "classificationProbability": _share(found.score),
        }


def _classified(result: ImageResult, answer: FinalAnswer) -> Row:
    if answer.by is not AnsweredBy.MODEL:
        moment = result.review.reviewed_at[:19] if result.review is not None else ""
        return {
            "classificationMethod": "human",
            "classifiedBy": answer.reviewer,
            "classificationTimestamp": f"{moment}Z" if moment else "",
        }
    assert result.prediction is not None
    return {
        "classificationMethod": "machine",
        "classifiedBy": f"Taffrail {result.prediction.model_version}",
        "classificationTimestamp": f"{result.prediction.predicted_at[:19]}Z",
    }


def _animal(species: str) -> Row:
    return {"observationType": "animal", "scientificName": species, "count": 1}


def _box(found: AnswerBox, result: ImageResult) -> Row:
    width_px, height_px, box = result.width_px or 1, result.height_px or 1, found.box
    return {
        "bboxX": _share(box.x_min / width_px),
        "bboxY": _share(box.y_min / height_px),
        "bboxWidth": _share((box.x_max - box.x_min) / width_px),
        "bboxHeight": _share((box.y_max - box.y_min) / height_px),
    }


def _share(value: float) -> str:
    return f"{min(max(value, 0.0), 1.0):.6f}"


def _deployments(package: _Package, position: tuple[float, float]) -> Iterator[Row]:
    for camera, (first, last) in sorted(package.spans.items()):
        yield {
            "deploymentID": camera,
            "locationName": camera,
            "latitude": position[0],
            "longitude": position[1],
            "deploymentStart": first,
            "deploymentEnd": last,
            "cameraID": camera,
            # The cameras' own clocks tell no zone.
            "timestampIssues": "true",
        }


def _descriptor(package: _Package, export: Export) -> Mapping[str, object]:
    latitude, longitude = export.options.position or (0.0, 0.0)
    moments = [moment for span in package.spans.values() for moment in span] or [now_text()]
    return {
        "name": f"taffrail-{uuid.uuid4().hex[:12]}",
        "title": f"{export.title}: answers of {export.sources}",
        "profile": f"{_SCHEMAS}/camtrap-dp-profile.json",
        "version": "1.0",
        "created": now_text(),
        "contributors": [{"title": "Taffrail", "role": "contributor"}],
        "project": {
            "title": export.title,
            "samplingDesign": "opportunistic",
            "captureMethod": ["timeLapse"],
            "individualAnimals": False,
            "observationLevel": ["media"],
        },
        "spatial": {"type": "Point", "coordinates": [longitude, latitude]},
        "temporal": {"start": min(moments)[:10], "end": max(moments)[:10]},
        "taxonomic": [{"scientificName": name} for name in sorted(package.species)],
        "resources": [_resource(name) for name in ("deployments", "media", "observations")],
    }


def _resource(name: str) -> Mapping[str, object]:
    return {
        "name": name,
        "path": f"{name}.csv",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": f"{_SCHEMAS}/{name}-table-schema.json",
    }
