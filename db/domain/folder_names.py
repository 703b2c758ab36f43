"""What the names of folders say: some name a camera, others only how somebody sorted files."""

from __future__ import annotations

import re

# Parts of a data set; each is another part, so a label of `train/a.jpg` never means `valid/a.jpg`.
SPLITS = frozenset(
    {
        *("train", "training", "trainval", "valid", "val", "validation", "validate", "eval", "dev"),
        *("test", "testing", "holdout", "train2014", "val2014", "test2014", "train2017", "val2017", "test2017"),
    }
)
# Folders that only hold: data sets have them, cards of cameras, and NAS.
CONTAINERS = frozenset(
    {
        *("images", "image", "imgs", "img", "pictures", "photos", "labels", "annotations", "data", "dataset", "raw"),
        *(
            "jpegimages",
            "frames",
            "obj_train_data",
            "obj_valid_data",
            "obj_test_data",
            "all",
            "unlabeled",
            "unlabelled",
        ),
        *("dcim", "misc", "private", "media", "export", "exports", "camera roll"),
    }
)
# `100MEDIA`, `101CANON`, `100_PANA`, `IMG_E0001`: folders that a camera numbers by itself (JEITA CP-3461, section 3).
_CARD_FOLDER = re.compile(r"[1-9]\d\d[A-Z0-9_]{5}")
_CAMERA = re.compile(r"(?i)(cam|camera|kamera|ch|channel|ipc)[ _.-]?\d{1,3}")


def is_sorting(name: str) -> bool:
    """Return whether a folder's name says how files were sorted, and nothing of who took them.

    >>> [is_sorting(name) for name in ("train", "Testing", "DCIM", "100MEDIA", "cam1", "boat_01")]
    [True, True, True, True, False, False]
    """
    return name.lower() in SPLITS or is_container(name)


def is_container(name: str) -> bool:
    """Return whether a folder's name only says that something lies in it."""
    return name.lower() in CONTAINERS or _CARD_FOLDER.fullmatch(name) is not None


def is_numbered_camera(name: str) -> bool:
    """Return whether a folder is named like one of a boat's cameras: the next boat has the same names.

    >>> is_numbered_camera("cam1"), is_numbered_camera("CH_02"), is_numbered_camera("boat_01")
    (True, True, False)
    """
    return _CAMERA.fullmatch(name) is not None
