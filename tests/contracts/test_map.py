"""The map for strangers names places that exist: every path in docs/architecture.md, and every room has its line."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_path_of_the_map_exists() -> None:
    named = set(re.findall(r"`((?:worker|annotator|cli|db)/[\w/]+(?:\.py)?/?)`", MAP))

    assert len(named) > 30
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_room_is_on_the_map() -> None:
    rooms = {
        f"{package}/{folder.name}/"
        for package in ("worker", "annotator", "db")
        for folder in (ROOT / package).iterdir()
        if folder.is_dir() and (folder / "__init__.py").exists()
    }

    # A room of rooms, as training is, has a line for each of them.
    missing = {room for room in rooms if f"`{room}" not in MAP and f"`{room.removeprefix('worker/')}" not in MAP}

    assert missing == set()
