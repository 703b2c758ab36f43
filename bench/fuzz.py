"""Fuzzes every reader of strangers' files, seeded: `python -m bench.fuzz --minutes 60 --seed 1`.

Whatever bytes a reader gets, it gives records, an image, or its own one-line error; and a label file in which one value
was changed never makes an image "no fish" that showed one. A finding ends the run with the seed and the bytes.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.errors import AnnotatorError, LabelmeError
from annotator.label_formats.coco import read_coco
from annotator.label_formats.labelme import read_labelme_labels
from annotator.label_formats.ncfm import read_ncfm
from annotator.label_formats.records import RawRecord, Records
from annotator.label_formats.repair import repair
from annotator.label_formats.settle import settle
from annotator.label_formats.yolo import read_yolo
from annotator.labelme.json_files import read_labelme
from db.domain.species import DEFAULT_LABEL_SET as SPECIES
from tests.hostile.images import bytes_of, gradient
from worker.images.decode import decode_image, measure_image
from worker.images.errors import UnreadableImage

_SLOW_S = 20.0
_LONGEST_TEXT = 1500
_MAX_PIXELS = 4_000_000
_ODD_VALUES = (
    *(None, True, False, 0, -1, 1, 3, 3.5, 1e300, 10**400, "", "3", "3.0", "ALB", "NoF", "x", "\x1b[31m", "\x00"),
    *([], {}, [1], [[1, 2], [3, 4]], {"a": 1}, "9" * 5000, "é", "\ud800", "0 0 1 1", -1e-300, "nan", "inf"),
)
_ODD_BYTES = (
    b"\x00",
    b"\xff",
    b"{",
    b"[",
    b'"',
    b"\\",
    b"\n",
    b"-",
    b"9" * 400,
    b"e999",
    b"NaN",
    b"!!float ''",
    b"&a *a",
)


class Finding(AssertionError):
    """What a reader did that it must not do."""


@dataclass(frozen=True)
class Target:
    """A reader. samples: whole files to begin with; read: raises nothing but its own error for any bytes."""

    name: str
    samples: Sequence[bytes]
    read: Callable[[bytes], None]


def targets(folder: Path) -> list[Target]:
    """Return every reader; label files are written below the folder."""
    label_files = [
        _label_target("coco", json.dumps(COCO).encode(), folder / "coco", "labels.json", read_coco, whole=False),
        _label_target("ncfm", json.dumps(NCFM).encode(), folder / "ncfm", "ALB.json", read_ncfm),
        _label_target("labelme", json.dumps(LABELME).encode(), folder / "labelme", "a.json", read_labelme_labels),
        _label_target("yolo", b"0 0.5 0.5 0.2 0.2\n0 0.1 0.1 0.3 0.1 0.3 0.2\n", folder / "yolo", "a.txt", read_yolo),
        _label_target("yolo names", YAML, folder / "names", "data.yaml", read_yolo),
    ]
    (folder / "yolo" / "data.yaml").write_bytes(YAML)
    (folder / "names" / "a.txt").write_bytes(b"0 0.5 0.5 0.2 0.2 0.4 0.5 0.6 0.5\n")
    review = folder / "review.json"
    return [*label_files, Target("review", [json.dumps(LABELME).encode()], lambda raw: _review(review, raw)), _images()]


def fuzz(target: Target, *, seed: int, rounds: int) -> None:
    """Read so many mutated files.

    Raises:
        Finding: one was read in a way that it must not be.
    """
    for number in range(rounds):
        rng = random.Random(f"{target.name} {seed} {number}")
        raw = mutated(rng.choice(target.samples), rng)
        started_s = time.monotonic()
        try:
            target.read(raw)
        except Exception as error:
            what = f"{target.name}, seed {seed}, round {number}: {type(error).__name__}: {str(error)[:300]}"
            raise Finding(f"{what}; the file begins {raw[:200]!r}") from error
        if time.monotonic() - started_s > _SLOW_S:
            raise Finding(f"{target.name}, seed {seed}, round {number}: took more than {_SLOW_S:g} s")


def mutated(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few of them changed, left out, doubled, or replaced by what readers stumble over."""
    found = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(found) + 1)
        length = min(rng.choice((1, 1, 2, 8, 64)), len(found) - place)
        change = rng.randrange(5)
        if change == 0 and length:
            found[place] = rng.randrange(256)
        elif change == 1:
            del found[place : place + length]
        elif change == 2:
            found[place:place] = found[place : place + length]
        elif change == 3:
            found[place : place + length] = rng.choice(_ODD_BYTES)
        elif rng.random() < 0.2:
            del found[place:]
    return bytes(found)


def fuzz_meaning(folder: Path, *, seed: int, rounds: int) -> int:
    """Return how many images stayed labelled when one value of a label file with one fish was changed.

    Raises:
        Finding: an image became "no fish".
    """
    read_as: dict[str, tuple[Any, str, Callable[[Path, Any], Records]]] = {
        "coco": (COCO, "coco.json", read_coco),
        "ncfm": (NCFM, "ALB.json", read_ncfm),
        "labelme": (LABELME, "a.json", read_labelme_labels),
    }
    kept = 0
    for number in range(rounds):
        rng = random.Random(f"meaning {seed} {number}")
        name = rng.choice(sorted(read_as))
        document, file_name, read = read_as[name]
        path, changed = _one_changed(document, _OF_THE_FISH[name], rng)
        (folder / file_name).write_text(json.dumps(changed, ensure_ascii=True).replace("Infinity", "1e999"))
        for label in _labels(_read_all(read, folder / file_name)):
            if label == "NoF":
                raise Finding(f"{name}, seed {seed}, round {number}: {path} changed makes the image show no fish")
            kept += 1
    return kept


COCO: dict[str, Any] = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 50}],
    "annotations": [{"id": 5, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 10], "iscrowd": 0}],
    "categories": [{"id": 3, "name": "ALB"}],
}
NCFM = [{"filename": "a.jpg", "annotations": [{"class": "rect", "x": 10, "y": 20, "width": 30, "height": 10}]}]
LABELME: dict[str, Any] = {
    "version": "5.0",
    "flags": {},
    "shapes": [{"label": "ALB", "points": [[10, 20], [40, 30]], "shape_type": "rectangle", "flags": {}}],
    "imagePath": "a.jpg",
    "imageHeight": 50,
    "imageWidth": 100,
}
YAML = b"names: {0: ALB, 1: YFT}\nkpt_shape: [2, 2]\ndate: 2021-01-01\n"
# Where a fish is described: what may be changed without taking it out of its list, or giving it to another image.
_OF_THE_FISH: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "coco": (
        *(("annotations", 0, key) for key in ("category_id", "bbox", "iscrowd", "id")),
        *(("annotations", 0, "bbox", place) for place in range(4)),
        *((("categories", 0, "name")), ("categories", 0, "id"), ("categories", 0), ("annotations",), ("categories",)),
        *(("images", 0, key) for key in ("width", "height", "id")),
    ),
    "ncfm": tuple((0, "annotations", 0, key) for key in ("class", "x", "y", "width", "height")),
    "labelme": (
        *(("shapes", 0, key) for key in ("label", "points", "shape_type", "flags")),
        *(("shapes", 0, "points", corner) for corner in range(2)),
        *(("shapes", 0, "points", corner, axis) for corner in range(2) for axis in range(2)),
        *((key,) for key in ("flags", "imageHeight", "imageWidth", "version")),
    ),
}


def _label_target(
    name: str, sample: bytes, folder: Path, file_name: str, read: Callable[..., Records], *, whole: bool = True
) -> Target:
    folder.mkdir(parents=True, exist_ok=True)

    def read_bytes(raw: bytes) -> None:
        (folder / file_name).write_bytes(raw)
        list(_labels(_read_all(read, folder if whole else folder / file_name)))

    return Target(name, [sample], read_bytes)


def _read_all(read: Callable[..., Records], path: Path) -> list[RawRecord]:
    """Return a reader's records; its own errors and everything that it says must be one readable line."""
    try:
        found = list(read(path, SPECIES))
    except AnnotatorError as error:
        _check_line(str(error))
        return []
    for one in found:
        for text in [str(one)] if not isinstance(one, RawRecord) else [*map(str, one.problems), *one.notes]:
            _check_line(text)
    return [one for one in found if isinstance(one, RawRecord)]


def _labels(records: Sequence[RawRecord]) -> Iterator[str]:
    for record in map(settle, ([one] for one in records)):
        if not record.problems:
            repaired = repair(record, width_px=100, height_px=50, label_set=SPECIES)
            for text in (*repaired.notes, *repaired.problems):
                _check_line(text)
            if repaired.label is not None:
                yield repaired.label.species


def _check_line(text: str) -> None:
    if "\n" in text or len(text) > _LONGEST_TEXT:
        raise Finding(f"says more than a line: {text[:200]!r}")


def _one_changed(document: Any, places: Sequence[tuple[str | int, ...]], rng: random.Random) -> tuple[str, Any]:
    changed, path = copy.deepcopy(document), rng.choice(places)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    # An empty list of annotations is what "no fish" is written as.
    odd = [value for value in _ODD_VALUES if not (path == ("annotations",) and value == [])]
    holder[path[-1]] = rng.choice(odd)
    return " ".join(map(str, path)), changed


def _review(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    try:
        read_labelme(file)
    except LabelmeError as error:
        _check_line(str(error))


def _images() -> Target:
    samples = [bytes_of(gradient(), name) for name in ("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP", "AVIF")]
    samples.append(bytes_of(gradient("I;16"), "PNG"))

    def read(raw: bytes) -> None:
        for look in (decode_image, measure_image):
            try:
                look(raw, max_pixels=_MAX_PIXELS)
            except UnreadableImage as error:
                _check_line(str(error))

    return Target("images", samples, read)


def main() -> None:
    """Fuzz every reader in turn until the time is over, each round with seeds of its own."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    end_s, seed, files = time.monotonic() + chosen.minutes * 60, chosen.seed, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end_s:
            for target in targets(Path(folder)):
                fuzz(target, seed=seed, rounds=200)
                files += 200
            fuzz_meaning(Path(folder), seed=seed, rounds=400)
            files, seed = files + 400, seed + 1
    print(f"{files} files, seeds {chosen.seed} to {seed - 1}: nothing found")


if __name__ == "__main__":
    try:
        main()
    except Finding as finding:
        sys.exit(f"FOUND {finding}")
