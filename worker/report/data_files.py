"""The report's data as scripts: pages opened from a disk may not fetch, and one file of any size would be too large."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from worker.report.gallery import Entry

# Some hundred characters an entry: about two megabytes a file.
ENTRIES_A_FILE = 1_000


def write_data(folder: Path, head: dict[str, object], entries: Sequence[Entry]) -> list[str]:
    """Write a report's data and return the names of its scripts, in the order in which a page loads them.

    head: what is told once. The first script makes `window.TAFFRAIL`, those after it add images.
    """
    names = []
    for name, text in _scripts(head, entries):
        (folder / name).write_text(text, encoding="ascii")
        names.append(name)
    return names


def _scripts(head: dict[str, object], entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    first = {**head, "images": entries[:ENTRIES_A_FILE]}
    yield "data.js", f"window.TAFFRAIL = {_json(first)};\n"
    for number, start in enumerate(range(ENTRIES_A_FILE, len(entries), ENTRIES_A_FILE), start=2):
        more = _json(entries[start : start + ENTRIES_A_FILE])
        yield f"data-{number}.js", f"window.TAFFRAIL.images.push(...{more});\n"


def _json(value: object) -> str:
    """ASCII, so that no character of a file's name can surprise the script; every byte counts three thousand times."""
    return json.dumps(value, separators=(",", ":"))
