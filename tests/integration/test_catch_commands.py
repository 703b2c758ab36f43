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


def test_whole_days_are_drawn_and_each_is_one_witness(home: Path):
    truth = hold_job(opened()[1], home / "fleet", images=240)

    planned = cli(
        "review", "plan", 1, "--unit", "day", "--budget", 210, "--write", home / "days", "--seed", 1, "--json"
    )
    first = json.loads(planned.stdout)
    answer_folder(home / "days", truth)
    import_reviews(home / "days", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    told = json.loads(cli("summary", 1, "--json").stdout)

    assert (first["unit"], first["units"], first["certain"]) == ("day", 5, 0)
    assert first["images"] == first["drawn"] == told["plan"]["answered"] == 200  # five of the six days of two trips
    true = {
        name: sum(box.species == name for label in truth.values() for box in label.boxes) for name in ("ALB", "BET")
    }
    estimates = {one["figure"]: one["estimate"] for one in told["figures"]}
    for name, count in true.items():
        assert estimates[name]["low"] <= count <= estimates[name]["high"]
    assert estimates["ALB"]["low"] < estimates["ALB"]["high"]


def test_days_half_looked_at_stand_for_none(home: Path):
    truth = hold_job(opened()[1], home / "fleet", images=240)
    assert (
        cli("review", "plan", 1, "--unit", "day", "--budget", 210, "--write", home / "days", "--seed", 1).exit_code == 0
    )
    answer_folder(home / "days", truth)
    for file in sorted((home / "days").glob("0*.json"))[170:]:
        file.unlink()

    import_reviews(home / "days", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    told = json.loads(cli("summary", 1, "--json").stdout)

    assert told["plan"]["left"] == 30
    assert any(note.startswith("so far: 30 of the 200 images") for note in told["notes"])
    assert {one["estimate"] for one in told["figures"]} == {None}  # four whole days are too few for an interval


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["--unit", "week", "--budget", 9], "is none of image, day, trip", id="no unit"),
        pytest.param(["--unit", "day", "--target", "ALB:9%"], "goes with --budget or --hours", id="target"),
    ],
)
def test_units_that_cannot_be_meant_are_refused_in_one_line(home: Path, truth: Truth, words: list[object], said: str):
    told = cli("review", "plan", 1, *words)

    assert told.exit_code == 2
    assert said in " ".join(told.stderr.replace("│", " ").split())


def test_a_budget_of_too_few_days_says_how_many_images_it_takes(home: Path, truth: Truth):
    with pytest.raises(TaffrailError, match="30 images are about 2 of the 6 days, and figures take 5: about 67 images"):
        cli("review", "plan", 1, "--unit", "day", "--budget", 30)


def test_answers_to_one_of_two_plans_are_of_that_plan_and_none_is_lost(home: Path, truth: Truth):
    for name, seed in (("first", 1), ("second", 2)):
        assert cli("review", "plan", 1, "--budget", 30, "--write", home / name, "--seed", seed).exit_code == 0
    answer_folder(home / "second", truth)
    import_reviews(home / "second", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    of_second = json.loads(cli("summary", 1, "--json").stdout)

    answer_folder(home / "first", truth)
    import_reviews(home / "first", engine=opened()[1], label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    of_both = json.loads(cli("summary", 1, "--json").stdout)

    assert of_second["plan"]["plan_id"] == of_both["plan"]["plan_id"] == 2
    assert of_second["plan"]["answered"] == of_both["plan"]["answered"] == of_second["decided"] == 30
    assert of_both["decided"] > 30


def test_a_target_that_nothing_less_than_everything_reaches_says_so(home: Path, truth: Truth):
    told = cli("review", "plan", 1, "--target", "BET:1%", "--seed", 1)

    assert told.exit_code == 0
    assert "nothing less than all of them reaches the target" in told.stdout
