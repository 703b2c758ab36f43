"""The label set in the store: taken from the first import's own files, changed by name, used by what comes after."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from annotator.labelme.json_files import LabelmeFile, LabelmeShape, write_labelme
from cli.main import app
from db.domain.answers import final_answer
from db.domain.labels import ImageLabel
from db.domain.species import DEFAULT_LABEL_SET, LabelSet, UnknownSpecies
from db.migrate import migrate
from db.session import engine_for, reading, transaction
from db.settings import get_settings
from db.store.results import iterate_results
from db.store.reviews import current_corrections
from db.store.species import (
    SpeciesError,
    add_aliases,
    add_species,
    decide_label_set,
    held_label_set,
    merge_species,
    project_settings,
    rename_species,
)
from tests.answers import store_answers
from tests.factories import finished_job, write_images
from worker.doctor.check_species import check_species
from worker.doctor.checks import CheckState

OWN = ("Hake", "Ling", "Saithe")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME in which nothing was decided yet, with three images of three species in folders of other names."""
    for name in ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_SPECIES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    for seed, name in enumerate(OWN):
        write_images(tmp_path / "images" / name.lower(), 1, seed=seed)
    return tmp_path


def run(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.stdout


def species_held() -> list[str]:
    return [one["name"] for one in json.loads(run("species", "list", "--json"))["species"]]


def coco(folder: Path) -> Path:
    images = [{"id": n, "file_name": f"{name.lower()}/0000.jpg"} for n, name in enumerate(OWN)]
    annotations = [{"id": n, "image_id": n, "category_id": n, "bbox": [5, 5, 40, 30]} for n in range(3)]
    categories = [{"id": n, "name": name} for n, name in enumerate(OWN)]
    file = folder / "coco.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


def yolo(folder: Path) -> Path:
    for number, name in enumerate(OWN):
        (folder / "yolo" / "labels" / name.lower()).mkdir(parents=True)
        (folder / "yolo" / "labels" / name.lower() / "0000.txt").write_text(f"{number} 0.5 0.5 0.2 0.2\n")
    (folder / "yolo" / "data.yaml").write_text(f"names: [{', '.join(OWN)}]\n")
    return folder / "yolo"


def ncfm(folder: Path) -> Path:
    (folder / "boxes").mkdir()
    rect = {"class": "rect", "x": 5, "y": 5, "width": 40, "height": 30}
    for name in OWN:
        records = [{"filename": f"{name.lower()}/0000.jpg", "annotations": [rect]}]
        (folder / "boxes" / f"{name}_labels.json").write_text(json.dumps(records))
    return folder / "boxes"


def labelme(folder: Path) -> Path:
    for name in OWN:
        (folder / "labelme" / name.lower()).mkdir(parents=True)
        shape = LabelmeShape(name, ((5.0, 5.0), (45.0, 35.0)), "rectangle")
        write_labelme(folder / "labelme" / name.lower() / "0000.json", LabelmeFile("0000.jpg", 320, 180, (shape,)))
    return folder / "labelme"


@pytest.mark.parametrize(
    ("label_format", "write"), [("coco", coco), ("yolo", yolo), ("ncfm", ncfm), ("labelme", labelme)]
)
def test_the_first_import_takes_its_own_species_and_drops_nothing(
    home: Path, label_format: str, write: Callable[[Path], Path]
) -> None:
    done = json.loads(
        run("labels", "import", write(home), "--format", label_format, "--images", home / "images", "--json")
    )

    assert (done["labelled"], done["problems"]) == (3, [])
    assert done["species"] == dict.fromkeys(OWN, 1)
    assert species_held() == [*OWN, "NoF"]


def test_folders_of_other_names_are_species_too(home: Path) -> None:
    write_images(home / "images" / "BET", 1, seed=9)
    write_images(home / "images" / "background", 1, seed=10)

    done = json.loads(run("labels", "import", home / "images", "--format", "folders", "--json"))

    assert done["labelled"] == 5 and done["species"]["NoF"] == 1
    assert species_held() == ["BET", "hake", "ling", "saithe", "NoF"]


def test_the_competitions_species_are_all_eight_also_where_the_first_files_name_some(home: Path) -> None:
    write_images(home / "some" / "ALB", 1, seed=9)

    run("labels", "import", home / "some", "--format", "folders")

    assert tuple(species_held()) == DEFAULT_LABEL_SET.names


def test_a_later_import_names_what_it_does_not_know_and_adds_it_on_demand(home: Path) -> None:
    files = [coco(home), "--format", "coco", "--images", home / "images"]
    run("labels", "import", *files, "--species", "hake,ling", code=1)  # Saithe is named and left out
    write_images(home / "more" / "cod", 1, seed=20)

    left_out = CliRunner().invoke(app, ["labels", "import", str(home / "more"), "--format", "folders"])
    run("labels", "import", home / "more", "--format", "folders", "--species", "all")

    assert "not known yet: cod (1 images); --species all adds them" in left_out.output
    assert species_held() == ["hake", "ling", "NoF", "cod"]


def test_species_are_added_renamed_and_made_one(engine: Engine) -> None:
    with transaction(engine) as session:
        decide_label_set(session, LabelSet((*OWN, "NoF")))
        add_species(session, ["Cod"])
        add_aliases(session, "cod", ["Gadus morhua"])
        rename_species(session, "Ling", "Molva")
        merge_species(session, "Saithe", "cod")

    with reading(engine) as session:
        held = held_label_set(session)
    assert held is not None and held.names == ("Hake", "Molva", "NoF", "Cod")
    assert [held.named(name) for name in ("LING", "saithe", "gadus morhua")] == ["Molva", "Cod", "Cod"]


def test_a_change_that_would_say_two_things_is_refused(engine: Engine) -> None:
    with transaction(engine) as session:
        decide_label_set(session, LabelSet((*OWN, "NoF")))
        for change, error in [
            (lambda: add_species(session, ["HAKE"]), SpeciesError),
            (lambda: add_aliases(session, "Hake", ["ling"]), SpeciesError),
            (lambda: rename_species(session, "Hake", "ling"), SpeciesError),
            (lambda: rename_species(session, "NoF", "nothing"), SpeciesError),
            (lambda: merge_species(session, "Hake", "NoF"), SpeciesError),
            (lambda: merge_species(session, "cod", "Hake"), UnknownSpecies),
        ]:
            with pytest.raises(error):
                change()


def test_a_renamed_species_is_called_so_in_answers_of_people_and_of_models_that_learnt_the_old_name(
    engine: Engine, tmp_path: Path
) -> None:
    write_images(tmp_path / "images", 8)
    settings = finished_job(engine, tmp_path / "home", tmp_path / "images")
    before = [final_answer(result) for result in iterate_results(engine, 1)]
    answered = next(result.sha256 for result in iterate_results(engine, 1) if result.sha256)
    store_answers(engine, {answered: ImageLabel("YFT")})
    with transaction(engine) as session:
        decide_label_set(session, DEFAULT_LABEL_SET)
        for name in DEFAULT_LABEL_SET.fish:
            rename_species(session, name, f"new {name}")
        merge_species(session, "new ALB", "new YFT")

    after = [final_answer(result) for result in iterate_results(engine, 1)]
    with reading(engine) as session:
        said = current_corrections(session)[answered].label

    assert said is not None and said.species == "new YFT"
    assert project_settings(engine, settings).label_set.fish[0] == "new BET"
    assert [one.species for one in after if one and one.reviewer is None] == [
        now(one.species) for one in before[1:] if one
    ]
    assert all(box.species.startswith("new ") for one in after if one for box in one.boxes)


def now(species: str) -> str:
    return {"NoF": "NoF", "ALB": "new YFT"}.get(species, f"new {species}")


def test_a_home_from_before_keeps_the_species_of_its_models_and_labels(database_url: str) -> None:
    engine = engine_for(database_url)
    migrate(engine, revision="0016")
    with engine.begin() as connection:
        card = json.dumps({"species": ["B", "A", "NoF"]})
        connection.execute(
            text(
                "INSERT INTO model_versions (id, state, sha256, card, created_at) "
                "VALUES ('m', 'champion', '0', :card, :at)"
            ),
            {"card": card, "at": "2024-01-01 00:00:00"},
        )
        connection.execute(text("INSERT INTO images (id, sha256) VALUES (1, 'x')"))
        connection.execute(
            text(
                "INSERT INTO labels (image_id, digest, species, source, place, created_at) "
                "VALUES (1, 'd', 'C', 'coco', '', :at)"
            ),
            {"at": "2024-01-01 00:00:00"},
        )

    migrate(engine)

    with reading(engine) as session:
        held = held_label_set(session)
    assert held is not None and held.names == ("B", "A", "NoF", "C")
    engine.dispose()


def test_doctor_tells_species_that_are_labelled_and_not_known_and_those_not_learnt(
    engine: Engine, tmp_path: Path
) -> None:
    write_images(tmp_path / "images", 4)
    settings = finished_job(engine, tmp_path / "home", tmp_path / "images")
    undecided = check_species(settings)
    with transaction(engine) as session:
        decide_label_set(session, DEFAULT_LABEL_SET)
        add_species(session, ["Cod"])
    unlearnt = check_species(settings)
    answered = next(result.sha256 for result in iterate_results(engine, 1) if result.sha256)
    store_answers(engine, {answered: ImageLabel("Hake")})
    strange = check_species(settings)

    assert "none decided yet" in undecided.found
    assert (unlearnt.verdict, unlearnt.found) == (CheckState.ODD, "model noop has not learnt Cod")
    assert (strange.verdict, strange.found) == (CheckState.BAD, "labelled, and no species: Hake")
