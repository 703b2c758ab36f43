"""Camtrap DP 1.0.2: a data package of deployments, media and observations, for GBIF and camera-trap platforms.

A camera's images of the job are one deployment. Where it stood must be told (`--position`): a package without places is
none, and ships move. Source: https://camtrap-dp.tdwg.org, version 1.0.2.
"""

from __future__ import annotations

import csv
import json
import math
import mimetypes
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from db.domain.answers import AnswerBox, AnsweredBy, FinalAnswer
from db.domain.results import ImageResult
from db.domain.species import NO_FISH
from db.domain.taken_with import TakenWith
from worker.results.files import OutputError, new_folder
from worker.results.middle_of import distance_m, middle_of
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
    """What goes by while the tables are written. spans: first and last moment of each camera; devices: its images'."""

    spans: dict[str, tuple[str, str]] = field(default_factory=dict)
    devices: dict[str, list[TakenWith]] = field(default_factory=lambda: defaultdict(list))
    species: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def write(out: Path, results: Iterable[ImageResult], export: Export) -> list[str]:
    """Write the folder. Images without a time or a size have no place in it and are returned.

    Raises:
        OutputError: neither its images nor the options tell where a camera stood.
    """
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
            deployments = _deployments(package, export.options.position)
            _table(file, _DEPLOYMENTS).writerows(deployments)
        descriptor = json.dumps(_descriptor(package, export, deployments), ensure_ascii=False, indent=2)
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
    package.devices[result.camera].append(result.taken_with)
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


def _deployments(package: _Package, told: tuple[float, float] | None) -> list[Row]:
    """Return a row a camera. told: where those stood whose images do not say."""
    rows: list[Row] = []
    for camera, (first, last) in sorted(package.spans.items()):
        devices = package.devices[camera]
        serials = {device.camera_serial for device in devices if device.camera_serial}
        models = {device.camera_model for device in devices if device.camera_model}
        rows.append(
            {
                "deploymentID": camera,
                "locationName": camera,
                **_place(camera, devices, told),
                "deploymentStart": first,
                "deploymentEnd": last,
                "cameraID": serials.pop() if len(serials) == 1 else camera,
                "cameraModel": models.pop() if len(models) == 1 else "",
                # The cameras' own clocks tell no zone.
                "timestampIssues": "true",
            }
        )
    return rows


def _place(camera: str, devices: list[TakenWith], told: tuple[float, float] | None) -> Row:
    """Return the middle of a camera's positions and how far the others lie from it; a boat moves."""
    positions = [device.position for device in devices if device.position is not None]
    if not positions:
        if told is None:
            raise OutputError(
                f"Camtrap DP needs where the cameras stood, and the images of {camera} do not say it; "
                "give --position LATITUDE,LONGITUDE"
            )
        return {"latitude": told[0], "longitude": told[1]}
    place = middle_of(positions)
    most_m = max(distance_m(place, position) for position in positions)
    return {
        "latitude": round(place[0], 7),
        "longitude": round(place[1], 7),
        "coordinateUncertainty": max(1, math.ceil(most_m)),
    }


def _descriptor(package: _Package, export: Export, deployments: list[Row]) -> Mapping[str, object]:
    latitude, longitude = export.options.position or (0.0, 0.0)
    points = [[row["longitude"], row["latitude"]] for row in deployments] or [[longitude, latitude]]
    spatial = {"type": "Point", "coordinates": points[0]} if len(points) == 1 else None
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
        "spatial": spatial or {"type": "MultiPoint", "coordinates": points},
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
