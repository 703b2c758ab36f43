"""A report's data: scripts of a size that a browser and an editor open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.report import data_files
from worker.report.data_files import write_data


def test_a_small_report_has_one_script(tmp_path: Path) -> None:
    names = write_data(tmp_path, {"species": ["ALB"]}, [{"id": 1, "name": "caf\N{LATIN SMALL LETTER E WITH ACUTE}"}])

    assert names == ["data.js"]
    text = (tmp_path / "data.js").read_text(encoding="ascii")
    assert text == 'window.TAFFRAIL = {"species":["ALB"],"images":[{"id":1,"name":"caf\\u00e9"}]};\n'


def test_more_images_follow_in_scripts_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "ENTRIES_A_FILE", 2)

    names = write_data(tmp_path, {}, [{"id": number} for number in range(5)])

    assert names == ["data.js", "data-2.js", "data-3.js"]
    before, after = "window.TAFFRAIL.images.push(...", ");\n"
    more = [(tmp_path / name).read_text(encoding="ascii") for name in names[1:]]
    told = [json.loads(text.removeprefix(before).removesuffix(after)) for text in more]
    assert told == [[{"id": 2}, {"id": 3}], [{"id": 4}]]
