"""Label files that are torn, enormous, endless or malicious, for every format that `cli labels import` takes."""

from __future__ import annotations

import json
import os
from pathlib import Path

# What JSON readers stumble over; whatever the format, none of it says anything about an image.
NO_DOCUMENTS = {
    "torn": b'[{"filename": "fish.png", "annotations": [{"x": 1',
    "no-bytes": b"",
    "not-utf8": b'[{"filename": "\xff\xfe.png"}]',
    "not-a-number": b'[{"filename": "fish.png", "annotations": [{"class": "rect", "x": NaN}]}]',
    "deep": b"[" * 200_000,
    "deep-objects": b'{"a":' * 200_000,
    "many-digits": b"[" + b"9" * 5_000 + b"]",
    "a-number": b"7",
    "nulls": bytes(1_000),
}
BOXES = {
    "endless": [1e999, 1, 2, 2],
    "far": [1e300, 1e300, 1e300, 1e300],
    "huge-integer": [10**400, 0, 10**400, 5],
    "inside-out": [30, 30, -10, -10],
    "flat": [5, 5, 0, 10],
    "texts": ["1", "2", "3", "4"],
    "lists": [[1], [2], [3], [4]],
    "none": None,
}
WAYS_OUT = (
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\secret.png",
    "a\x00b.png",
    "",
    "file:///etc/passwd",
    "x" * 70_000,
)


def write_ncfm(folder: Path) -> None:
    """Write a file a species, one of them good."""
    rect = {"class": "rect", "x": 10, "y": 5, "width": 30, "height": 20}
    good = {"filename": "fish.png", "annotations": [rect]}
    odd = [{"filename": name, "annotations": [rect]} for name in WAYS_OUT]
    for name, box in BOXES.items():
        values = dict(zip(("x", "y", "width", "height"), box, strict=True)) if box else {}
        odd.append({"filename": f"{name}.png", "annotations": [{"class": "rect", **values}]})
    odd.append({"filename": "head.png", "annotations": [rect, {"class": "head", "x": 1e999, "y": 1}]})
    _write_json(
        folder / "ALB.json", [good, *odd, None, 7, [], {"filename": 3}, {"filename": "fish.png", "annotations": 7}]
    )
    for species, content in zip(("BET", "DOL", "LAG", "OTHER", "SHARK", "YFT"), NO_DOCUMENTS.values(), strict=False):
        (folder / f"{species}.json").write_bytes(content)
    os.mkfifo(folder / "ALB_pipe.json")


def write_coco(folder: Path) -> Path:
    """Write one file with a good image in it, and return it."""
    images: list[object] = [{"id": 1, "file_name": "fish.png", "width": 80, "height": 40}]
    annotations: list[object] = [{"image_id": 1, "category_id": 1, "bbox": [10, 5, 30, 20]}]
    for number, name in enumerate((*WAYS_OUT, *(f"{box}.png" for box in BOXES)), start=2):
        images.append({"id": number, "file_name": name, "width": 10**400, "height": 1})
        annotations.append({"image_id": number, "category_id": 1, "bbox": list(BOXES.values())[number % len(BOXES)]})
    images += [None, 7, {"id": [1], "file_name": 3}, {"file_name": "none.png", "width": -1, "height": True}]
    annotations += [None, {"image_id": 99, "category_id": 1, "bbox": [1, 1, 1, 1]}, {"image_id": 2, "category_id": {}}]
    file = folder / "coco.json"
    _write_json(file, {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "ALB"}, None]})
    return file


def write_labelme(folder: Path) -> None:
    """Write a file an image, one of them good."""
    _write_json(folder / "fish.json", _labelme("fish.png", [[10, 5], [40, 25]]))
    for name, content in NO_DOCUMENTS.items():
        (folder / f"{name}.json").write_bytes(content)
    for name, box in BOXES.items():
        points = [box[:2], box[2:]] if box else None
        _write_json(folder / f"box-{name}.json", _labelme(f"{name}.png", points))
    for number, name in enumerate(WAYS_OUT):
        _write_json(folder / f"way-{number}.json", _labelme(name, [[10, 5], [40, 25]]))
    _write_json(folder / "large.json", {**_labelme("far.png", [[1, 1], [9, 9]]), "imageWidth": 10**400})
    os.mkfifo(folder / "pipe.json")


def write_yolo(folder: Path) -> None:
    """Write a text file an image, one of them good."""
    (folder / "data.yaml").write_text("names: [ALB, BET]\n")
    (folder / "fish.txt").write_text("0 0.3 0.375 0.375 0.5\n")
    lines = ["nan nan nan nan nan", "0 nan 0 1 1", "0 1e999 0 1 1", "inf 0 0 1 1", "1e400 1 1 1 1", "99 0 0 1 1", "0 1"]
    for number, line in enumerate((*lines, "0 " + "1 " * 100_001, "\x00", "0 1e300 1e300 1e300 1e300")):
        (folder / f"line-{number}.txt").write_text(line)
    for name, content in NO_DOCUMENTS.items():
        (folder / f"{name}.txt").write_bytes(content)
    os.mkfifo(folder / "pipe.txt")


def alias_bomb() -> str:
    """A YAML of 1 kB whose names are 10^30 characters long when they are written out."""
    lists = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 31)]
    return "\n".join(["a0: &a0 [ALB]", *lists, "names: [*a30]"])


def _labelme(image_path: str, points: object) -> dict[str, object]:
    shape = {"label": "ALB", "points": points, "group_id": None, "shape_type": "rectangle", "flags": {}}
    document = {"version": "6.0.0", "flags": {}, "shapes": [shape], "imagePath": image_path, "imageData": None}
    return {**document, "imageHeight": 40, "imageWidth": 80}


def _write_json(file: Path, document: object) -> None:
    # Python writes Infinity, which readers refuse; 1e999 is as good as any number to them.
    file.write_text(json.dumps(document).replace("Infinity", "1e999"), encoding="utf-8")
