"""What commands print with `--json` fits the schemas that `cli schema` prints; on a real HOME, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from cli.json_schemas import DOCUMENTS, schema_of
from cli.main import app
from db.migrate import open_database
from db.settings import Settings, get_settings, make_home
from tests.factories import finished_job, write_images


# They report with --json, too, and have no schema yet: take a name away when it gets one, add none.
@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A HOME with a job of six images, one of them no image, that a model which needs no network answered."""
    folder = tmp_path_factory.mktemp("site")
    images = folder / "images" / "boat_1"
    write_images(images, 5)
    write_images(folder / "labelled" / "ALB", 2, seed=7)
    (images / "torn.jpg").write_bytes(b"no image")
    engine = open_database(Settings(home=make_home(folder / "home")).database)
    finished_job(engine, folder / "home", folder / "images")
    engine.dispose()
    yield folder


@pytest.fixture(autouse=True)
def _at_home(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL", "TAFFRAIL_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAFFRAIL_HOME", str(site / "home"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


COMMANDS = [
    pytest.param("status", [], id="status"),
    pytest.param("status", ["1"], id="status of a job"),
    pytest.param("resume", ["1"], id="resume"),
    pytest.param("cancel", ["1"], id="cancel"),
    pytest.param("doctor", [], id="doctor"),
    pytest.param("models list", [], id="models list"),
    pytest.param("models show", ["champion"], id="models show"),
    pytest.param("cameras list", [], id="cameras list"),
    pytest.param("cameras scale", [], id="cameras scale"),
    pytest.param("labels import", ["{folder}/labelled", "--format", "folders"], id="labels import"),
    pytest.param("labels export", ["--format", "csv", "--out", "{folder}/l.csv"], id="labels export"),
    pytest.param("labels undo", [], id="labels undo"),
    pytest.param("report", ["1", "--out", "{folder}/report"], id="report"),
    pytest.param("summary", ["1"], id="summary"),
    pytest.param("explain", ["{folder}/images/boat_1/0000.jpg"], id="explain"),
    pytest.param("species list", [], id="species list"),
    pytest.param("labels list", [], id="labels list"),
    pytest.param("results", ["1", "--format", "csv", "--out", "{folder}/r.csv"], id="results"),
    pytest.param("audit agreement", [], id="audit agreement"),
    pytest.param("review export", ["{folder}/review", "--count", "3"], id="review export"),
    pytest.param("review import", ["{folder}/review", "--reviewer", "ana"], id="review import"),
    pytest.param("cameras find", ["--all"], id="cameras find"),
    pytest.param("events list", ["1"], id="events list"),
    pytest.param("review people", [], id="review people"),
    pytest.param("review plan", ["1", "--budget", "3"], id="review plan"),
    pytest.param("review plan", ["1", "--budget", "2", "--write", "{folder}/plan"], id="review plan, written"),
    pytest.param("review simulate", ["{folder}/review"], id="review simulate a folder"),
    pytest.param("sample", ["{folder}/fleet", "--images", "3", "--cameras", "1"], id="sample"),
    pytest.param("sample", ["{folder}/film", "--sequences", "--images", "3", "--cameras", "1"], id="sample, sequences"),
    pytest.param("schedule show", [], id="schedule show"),
    pytest.param("backup", ["{folder}/b.tar"], id="backup"),
    pytest.param("delete job", ["1", "--yes"], id="delete job"),
]


@pytest.mark.parametrize(("name", "arguments"), COMMANDS)
def test_what_a_command_prints_fits_its_schema(name: str, arguments: list[str], site: Path) -> None:
    given = [argument.format(folder=site) for argument in arguments]
    if name in ("review import", "review simulate") and not (site / "review").is_dir():
        CliRunner().invoke(app, ["review", "export", str(site / "review")])

    done = CliRunner().invoke(app, [*name.split(), *given, "--json"])

    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(schema_of(name))
    jsonschema.Draft202012Validator(schema_of(name)).validate(told)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_each_schema_is_one(name: str) -> None:
    printed = CliRunner().invoke(app, ["schema", *name.split()])

    jsonschema.Draft202012Validator.check_schema(json.loads(printed.stdout))


def test_a_document_with_another_key_does_not_fit() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"job": 1, "cancelled": 2, "canceled": 2}, schema_of("cancel"))


def test_every_command_that_reports_has_a_schema() -> None:
    reporting = set(_reporting(typer.main.get_command(app), ()))

    assert reporting == set(DOCUMENTS)


def _reporting(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _reporting(inner, (*path, name))
    elif any("--json" in option.opts for option in command.params if isinstance(option, click.Option) or option.opts):
        yield " ".join(path)
