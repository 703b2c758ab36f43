"""The review commands, from export to audit, on a database as workers fill it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from sqlalchemy import Engine, update
from typer.testing import CliRunner

from annotator.errors import ExportError, ImportRefused
from annotator.labelme.json_files import read_labelme
from annotator.labelme.shown import box_around
from cli.audit.agreement import audit_agreement_command
from cli.review.app import app
from cli.shared.context import opened
from db.domain.label_imports import ImportState
from db.domain.species import UnknownSpecies
from db.errors import NotFoundError
from db.session import transaction
from db.settings import get_settings
from db.tables.labels import ImportedLabelRow, LabelBoxRow, LabelImportRow, LabelRow
from db.tables.models import ModelVersionRow
from db.tables.predictions import PredictionRow
from tests.integration.test_review_export import FISH, hold_fleet
from worker.vision.heatmaps import pack_heatmap


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAFFRAIL_DATABASE_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.fixture
def engine(home: Path) -> Engine:
    """Four images of one BET each, all called ALB, all flagged; the labels held say BET."""
    engine = opened()[1]
    hold_fleet(engine, home / "fleet", count=4, also=label)
    return engine


def label(number: int) -> list[list[object]]:
    made = LabelImportRow(id=number, source="ncfm", path="", state=ImportState.IN_FORCE, created_at=datetime.now(UTC))
    row = LabelRow(
        id=number, image_id=number, digest="d", species="BET", source="ncfm", place="", created_at=datetime.now(UTC)
    )
    box = LabelBoxRow(
        label_id=number, species="BET", x_min=FISH.x_min, y_min=FISH.y_min, x_max=FISH.x_max, y_max=FISH.y_max
    )
    return [[made, row], [box, ImportedLabelRow(import_id=number, image_id=number, label_id=number)]]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def audit(*words: str) -> Result:
    program = typer.Typer()
    program.command()(audit_agreement_command)
    return CliRunner().invoke(program, list(words))


def test_export_simulate_import_audit(engine: Engine, home: Path):
    exported = run("export", home / "out", "--count", 3, "--json")
    simulated = run("simulate", home / "out", "--json")
    imported = run("import", home / "out", "--reviewer", "ana", "--json")
    again = run("import", home / "out", "--reviewer", "ana")
    audited = audit("--json")

    assert [done.exit_code for done in (exported, simulated, imported, again, audited)] == [0] * 5
    assert json.loads(exported.output)["images"] == 3
    assert json.loads(simulated.output) == {"answered": 3, "problems": []}
    assert json.loads(imported.output)["outcomes"] == {"corrected": 3}
    assert "0 new answers, 3 known before" in again.output
    assert json.loads(audited.output)["missed"]["reviewed"] == 0


SURE_OF_BET = {"box_probabilities": [0.9, 0.1], "heatmap_probabilities": [0.9, 0.1]}


def test_the_heat_maps_region_is_outlined_where_it_lies_on_the_image(engine: Engine, home: Path):
    # 4 rows of 6 cells on a 64 x 36 image in an input of the same shape: a cell is 64/6 by 9 pixels.
    heatmap = np.zeros((4, 6, 2))
    heatmap[..., 1] = 0.9
    heatmap[1:3, 3:5] = (0.9, 0.1)
    card = {"input_hw": [36, 64], "species": ["BET", "NoF"]}
    with transaction(engine) as session:
        session.execute(update(ModelVersionRow).values(card=card))
        session.execute(update(PredictionRow).values(heatmap=pack_heatmap(heatmap), **SURE_OF_BET))

    run("export", home / "out", "--outlines")

    (region,) = [shape for shape in read_labelme(home / "out" / "00001_0.json").shapes if shape.shape_type == "polygon"]
    assert region.label == "BET"
    assert box_around(region.points_px).xyxy == pytest.approx((32.0, 9.0, 53.333, 27.0), abs=0.01)


def test_a_damaged_heat_map_does_not_hold_the_export_up(engine: Engine, home: Path):
    card = {"input_hw": [36, 64], "species": ["BET", "NoF"]}
    with transaction(engine) as session:
        session.execute(update(ModelVersionRow).values(card=card))
        session.execute(update(PredictionRow).values(heatmap=b"damaged", **SURE_OF_BET))

    done = run("export", home / "out", "--outlines")

    assert done.exit_code == 0
    assert [shape.shape_type for shape in read_labelme(home / "out" / "00001_0.json").shapes] == ["rectangle"]


def test_the_orders_are_compared_on_the_labels_held(engine: Engine):
    done = run("simulate", "--json")

    found = json.loads(done.output)
    assert (found["images"], found["wrong"]) == (4, 4)
    assert {"our order", "least confidence", "random"} <= set(found["shares"])
    assert "looking at the first 20%" in run("simulate").output


def test_a_bad_file_is_named_and_the_command_ends_with_one(engine: Engine, home: Path):
    run("export", home / "out")
    run("simulate", home / "out")
    torn = sorted((home / "out").glob("0*.json"))[0]
    torn.write_text(torn.read_text()[:50])

    done = run("import", home / "out", "--reviewer", "ana")

    assert done.exit_code == 1
    assert f"{torn.name}: torn or not JSON" in done.output
    assert "3 new answers" in done.output


def test_open_cases_of_people_are_reported_and_exported(engine: Engine, home: Path):
    for name in ("ana", "ben"):
        run("export", home / name, "--overlap")
        run("simulate", home / name)
        if name == "ben":
            file = sorted((home / name).glob("0*.json"))[0]
            file.write_text(file.read_text().replace('"label": "BET"', '"label": "YFT"'))
        run("import", home / name, "--reviewer", name)

    told = run("people")
    exported = run("export", home / "eve", "--open-cases", "--json")
    run("simulate", home / "eve")
    run("import", home / "eve", "--reviewer", "eve")
    closed = run("people", "--json")
    none_left = run("export", home / "fay", "--open-cases")

    assert "4 images were answered by several people; 3 of 4 pairs agree" in told.output
    assert "BET against YFT: 1" in told.output
    assert "1 still open; next: cli review export DIR --open-cases" in told.output
    assert json.loads(exported.output)["images"] == 1
    # Eve agrees with Ana, so two of the three pairs of that image still differ.
    assert (json.loads(closed.output)["agreeing"], json.loads(closed.output)["pairs"]) == (4, 6)
    assert json.loads(closed.output)["open_cases"] == []
    assert isinstance(none_left.exception, ExportError)


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        pytest.param(["export", "out", "--species", "YTF"], UnknownSpecies, "did you mean YFT", id="species"),
        pytest.param(["export", "out", "--camera", "x"], NotFoundError, "camera 'x': no image", id="camera"),
        pytest.param(["export", "out", "--model", "m9"], NotFoundError, "model 'm9': not held", id="model"),
        pytest.param(["import", "missing"], ImportRefused, "no such folder", id="folder"),
    ],
)
def test_a_wrong_wish_is_one_clear_error(engine: Engine, home: Path, words, error, text):
    done = run(words[0], home / words[1], *words[2:])

    assert isinstance(done.exception, error)
    assert text in str(done.exception)


def test_without_a_model_the_export_says_how_to_get_one(home: Path):
    done = run("export", home / "out")

    assert isinstance(done.exception, NotFoundError) and "cli train" in str(done.exception)


@pytest.mark.parametrize("command", ["export", "open", "import", "people", "simulate"])
def test_every_command_explains_itself_with_a_verb(command: str):
    done = run(command, "--help")

    assert done.exit_code == 0
    assert any(verb in done.output for verb in ("Write ", "Start ", "Store ", "Report ", "Answer "))
