"""`cli review plan` and `cli summary` as typed: text, JSON, CSV, plots, and one clear line for what cannot be."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from annotator.corrections.import_corrections import import_reviews
from annotator.simulation.oracle import answer_folder
from cli.main import app
from cli.shared.context import opened
from db.domain.species import DEFAULT_LABEL_SET, UnknownSpecies
from db.errors import NotFoundError, TaffrailError
from db.settings import get_settings
from tests.drawn_job import Truth, hold_job


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TAFFRAIL_DATABASE_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.fixture
def truth(home: Path) -> Truth:
    return hold_job(opened()[1], home / "fleet", images=80)


def cli(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, TaffrailError):
        raise result.exception
    return result


def reviewed(home: Path, truth: Truth) -> None:
    """Draw a plan of 40 images, and let somebody who knows the truth look at them."""
    assert cli("review", "plan", 1, "--budget", 40, "--write", home / "plan", "--seed", 1).exit_code == 0
    answer_folder(home / "plan", truth)
    import_reviews(home / "plan", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")


def test_a_plan_says_what_it_takes_and_what_further_hours_buy(home: Path, truth: Truth):
    told = cli("review", "plan", 1, "--target", "ALB:30%", "--plot", home / "curve.svg", "--seed", 3)

    assert told.exit_code == 0
    assert "80 images to choose from, 0 decided on before" in told.stdout
    assert "20 s an image, assumed" in told.stdout and "cameras: camera_" in told.stdout
    assert "images   hours    ALB +-  missed to" in told.stdout
    assert "--seed 3 for these very images" in told.stdout
    curve = ElementTree.parse(home / "curve.svg").getroot()
    assert len(list(curve.iter("{http://www.w3.org/2000/svg}polyline"))) == 2


def test_a_plan_as_json_has_its_curve_and_its_folder(home: Path, truth: Truth):
    found = json.loads(cli("review", "plan", 1, "--hours", "0.1", "--write", home / "plan", "--json").stdout)

    # A tenth of an hour at 20 s an image.
    assert (found["images"], found["certain"], found["drawn"]) == (18, 2, 16)
    assert found["folder"] == str(home / "plan") and len(list((home / "plan").glob("[0-9]*.json"))) == 18
    assert [point["images"] for point in found["curve"]] == sorted({point["images"] for point in found["curve"]})


def test_a_summary_in_every_form_says_the_same(home: Path, truth: Truth):
    reviewed(home, truth)

    text = cli("summary", 1).stdout
    found = json.loads(cli("summary", 1, "--by", "camera", "--json").stdout)
    cli("summary", 1, "--by", "camera", "--csv", home / "all.csv", "--plot", home / "all.svg")

    assert "plan 1: 40 of 40 images answered (4 likeliest wrong, 36 by chance)" in text
    assert "people decided on 40 (50.0%)" in text and "would halve the job's intervals" in text
    with (home / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["figures"])
    for row, figure in zip(rows, found["figures"], strict=True):
        assert [row["camera"]] == figure["group"] and row["species"] == figure["figure"]
        expected = figure["estimate"] and round(figure["estimate"]["high"], 3)
        assert (float(row["high"]) if row["high"] else None) == expected
    ElementTree.parse(home / "all.svg")


def test_before_a_plan_a_summary_has_no_number_without_an_interval(home: Path, truth: Truth):
    text = cli("summary", 1).stdout

    assert "no plan was drawn for job 1" in text
    assert "cannot be had" in text and " to " not in text.split("95 % interval")[1].split("wrong among")[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--target", "BET"], "wanted a species or 'missed'", id="no share"),
        pytest.param([], "wanted one of --target, --budget and --hours", id="nothing asked"),
        pytest.param(["--budget", 5, "--hours", 1], "wanted one of", id="two asked"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused_in_one_line(home: Path, truth: Truth, words: list[object], said: str):
    told = cli("review", "plan", 1, *words)

    assert told.exit_code == 2
    assert said in " ".join(told.output.replace("│", " ").split())


def test_what_is_not_there_is_named(home: Path, truth: Truth):
    with pytest.raises(UnknownSpecies, match="did you mean YFT"):
        cli("review", "plan", 1, "--target", "YTF:20%")
    with pytest.raises(NotFoundError, match="job 9"):
        cli("summary", 9)
    assert "is none of camera, day, trip, species" in " ".join(
        cli("summary", 1, "--by", "boat").output.replace("│", " ").split()
    )


def test_a_target_is_answered_after_the_review(home: Path, truth: Truth):
    cli("review", "plan", 1, "--target", "ALB:25%", "--target", "missed:60%", "--write", home / "plan")
    answer_folder(home / "plan", truth)
    import_reviews(home / "plan", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")

    text = cli("summary", 1).stdout

    assert "target ALB:25%: " in text and "target missed:60%: reached" in text
