"""A reviewed folder with everything in it that can be wrong: each file is named, the rest comes in, repairing helps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.acceptance.commands import run_cli
from tests.integration.test_review_commands import label, run
from tests.integration.test_review_export import hold_fleet

Damage = Callable[[Path], None]


def changed(**keys: Any) -> Damage:
    def damage(file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))

    return damage


def with_shape(**keys: Any) -> Damage:
    def damage(file: Path) -> None:
        raw = json.loads(file.read_text())
        raw["shapes"][0].update(keys)
        file.write_text(json.dumps(raw))

    return damage


def torn(file: Path) -> None:
    file.write_text(file.read_text()[:-40])


def enormous(file: Path) -> None:
    os.truncate(file, 65 * 2**20)


def image_changed(file: Path) -> None:
    shown = file.with_suffix(".png")
    shown.write_bytes(shown.read_bytes() + b"edited by another program")


# In labelme's JSON NaN and 1e999 are what Python's own reader takes for numbers.
DAMAGES: dict[str, tuple[Damage, str]] = {
    "torn": (torn, "torn or not JSON"),
    "enormous": (enormous, "larger than 64 MiB"),
    "NaN": (with_shape(points=[[float("nan"), 4], [24, 16]]), "NaN"),
    "infinite": (with_shape(points=[[4, 4], [float("inf"), 16]]), "Infinity"),
    "far points": (with_shape(points=[[4, 4], [1e7, 16]]), "shapes[0] points[1]: "),
    "another file": (changed(imagePath="../../etc/passwd"), "'../../etc/passwd', outside the folder"),
    "unknown label": (with_shape(label="YTF"), "shapes[0]: 'YTF' is not a known species (did you mean YFT?)"),
    "never exported": (changed(taffrail=None), "was never exported"),
    "image changed": (image_changed, "is not the one exported: it changed since"),
}
GOOD = 2


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Images of one BET each, all called ALB; the labels held say BET."""
    home, fleet = tmp_path / "home", tmp_path / "fleet"
    make_home(home)
    engine = open_database(Settings(home=home).database)
    hold_fleet(engine, fleet, count=len(DAMAGES) + GOOD, also=label)
    monkeypatch.setenv("TAFFRAIL_HOME", str(home))
    yield {"TAFFRAIL_HOME": str(home)}
    engine.dispose()


def test_each_bad_file_is_named_the_rest_comes_in_and_after_mending_all_of_it(
    site: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("export", out)
    run("simulate", out)
    whole = {file: file.read_bytes() for file in out.iterdir()}
    files = sorted(out.glob("0*.json"))
    for file, (damage, _reason) in zip(files, DAMAGES.values(), strict=False):
        damage(file)

    damaged = run_cli("review", "import", str(out), "--reviewer", "ana", settings=site)
    for file, content in whole.items():
        file.write_bytes(content)
    repaired, again = (run("import", out, "--reviewer", "ana") for _ in range(2))

    assert (damaged.returncode, repaired.exit_code, again.exit_code) == (1, 0, 0)
    told = damaged.stderr.splitlines()
    assert len(told) == len(DAMAGES)
    for line, file, (_damage, reason) in zip(told, files, DAMAGES.values(), strict=False):
        assert line.startswith(f"{file.name}: ") or line.startswith(f"{file.name} "), line
        assert reason in line
    assert f"{GOOD} new answers, 0 known before" in damaged.stdout
    assert f"{len(DAMAGES)} new answers, {GOOD} known before" in repaired.stdout
    assert f"0 new answers, {len(files)} known before" in again.stdout
