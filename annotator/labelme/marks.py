"""What labelme files are marked with: flags, point labels, the names of the files beside them."""

from __future__ import annotations

FLAG_REVIEWED = "reviewed"

FLAG_NO_FISH = "no_fish"

FLAG_UNSURE = "unsure"

FLAGS = (FLAG_REVIEWED, FLAG_NO_FISH, FLAG_UNSURE)

POINT_LABELS = ("head", "tail")


MANIFEST_NAME = ".taffrail-export.json"

LABELS_NAME = "labels.txt"

FLAGS_NAME = "flags.txt"
