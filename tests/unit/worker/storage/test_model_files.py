"""Model files: whole or not there, refused when altered, and never a way to run code."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from db.domain.model_versions import ModelCard
from worker.models.errors import ModelFileError
from worker.models.keras_import import keras
from worker.storage import model_files
from worker.storage.model_files import (
    card_from_json,
    check_model_file,
    load_model,
    load_model_file,
    read_card,
    save_model,
)

CARD = ModelCard(
    kind="detector",
    trunk="efficientnet_lite0",
    layer="block10_add",
    input_hw=(64, 96),
    species=("ALB", "NoF"),
    heads=("box_species", "heatmap_hires"),
    metrics={"accuracy": 0.5},
    metrics_by={"camera": {"Ärger/1": {"accuracy": 0.25}}},
    folds=(("a", "b"),),
)


FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}


def _model():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(2, name="dense")(inputs))


def test_a_saved_model_comes_back_with_its_card(tmp_path: Path) -> None:
    model, x = _model(), np.ones((1, 3), dtype=np.float32)

    sha256 = save_model(tmp_path, "m-1", model, CARD)

    assert read_card(tmp_path, "m-1") == CARD
    assert json.loads((tmp_path / "m-1" / "card.json").read_text())["sha256"] == sha256
    assert np.allclose(load_model(tmp_path, "m-1", sha256).predict_on_batch(x), model.predict_on_batch(x))
    assert [path.name for path in tmp_path.iterdir()] == ["m-1"]


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    sha256 = save_model(tmp_path, "m-1", _model(), CARD)
    file = tmp_path / "m-1" / "model.keras"
    file.write_bytes(file.read_bytes() + b"x")

    with pytest.raises(ModelFileError, match="refused"):
        check_model_file(tmp_path, "m-1", sha256)


def test_a_missing_model_or_card_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"model\.keras: cannot be read"):
        check_model_file(tmp_path, "m-1", "0" * 64)
    with pytest.raises(ModelFileError, match=r"card\.json: cannot be read"):
        read_card(tmp_path, "m-1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": 1}', '{"input_hw": [1]}'])
def test_a_damaged_card_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "m-1").mkdir()
    (tmp_path / "m-1" / "card.json").write_text(text)

    with pytest.raises(ModelFileError, match="not a model card"):
        read_card(tmp_path, "m-1")


@pytest.mark.parametrize("model_id", ["../m", "", ".", "..", "a/b", "/etc", "a\x00b"])
def test_an_id_that_leads_elsewhere_is_refused(model_id: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model id"):
        save_model(tmp_path, model_id, None, CARD)


def test_a_version_is_never_overwritten(tmp_path: Path) -> None:
    save_model(tmp_path, "m-1", None, CARD)

    with pytest.raises(ModelFileError, match="exists already"):
        save_model(tmp_path, "m-1", None, CARD)


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    class Unsaveable:
        def save(self, file: Path) -> None:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(ModelFileError, match="No space left"):
        save_model(tmp_path, "m-1", Unsaveable(), CARD)
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_python_function_is_refused_before_it_runs(tmp_path: Path) -> None:
    ran, mark = tmp_path / "ran", str(tmp_path / "ran")  # Keras keeps a text with the function, not a path
    inputs = keras.Input((3,))
    evil = keras.Model(
        inputs, keras.layers.Lambda(lambda x: (open(mark, "w").close(), x)[1], output_shape=(3,))(inputs)
    )
    sha256 = save_model(tmp_path, "m-1", evil, CARD)
    evil(np.ones((1, 3), dtype=np.float32))
    ran.unlink()  # so it does what it looks like

    with pytest.raises(ModelFileError, match=r"cannot be loaded .*Lambda"):
        load_model(tmp_path, "m-1", sha256)
    assert not ran.exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"module": "subprocess", "class_name": "Popen", "config": {"args": ["touch", "RAN"]}}, id="class"),
        pytest.param({"config": {"units": 2, "activation": FUNCTION}}, id="function"),
        pytest.param(
            {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}}, id="torch"
        ),
    ],
)
def test_a_model_that_names_somebody_elses_code_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    save_model(tmp_path, "m-1", _model(), CARD)
    file = tmp_path / "m-1" / "model.keras"
    _forge_dense(file, json.loads(json.dumps(change).replace("RAN", str(tmp_path / "ran"))))

    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model_file(file.parent)
    assert not (tmp_path / "ran").exists()


def test_the_old_format_that_loads_code_unasked_is_refused(tmp_path: Path) -> None:
    _model().save(tmp_path / "old.h5")
    (tmp_path / "old.h5").rename(tmp_path / "model.keras")

    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model_file(tmp_path)


def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path) -> None:
    sha256 = save_model(tmp_path, "m-1", None, CARD)

    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load_model(tmp_path, "m-1", sha256)


def test_reading_cards_needs_no_keras() -> None:
    import subprocess
    import sys

    names = f"{model_files.__name__}, worker.models.names, worker.inference.detector"
    code = f"import sys, {names}; print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def _forge_dense(file: Path, change: dict[str, object]) -> None:
    """Alter what a model file says of its dense layer."""
    with zipfile.ZipFile(file) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    said = json.loads(parts["config.json"])
    next(layer for layer in said["config"]["layers"] if layer["class_name"] == "Dense").update(change)
    with zipfile.ZipFile(file, "w") as forged:
        for name, content in {**parts, "config.json": json.dumps(said)}.items():
            forged.writestr(name, content)


def test_a_card_of_before_is_read_and_one_that_is_none_is_told_by_its_field() -> None:
    plain = {
        "kind": "detector",
        "trunk": "t",
        "layer": "l",
        "input_hw": [64, 96],
        "species": ["ALB", "NoF"],
        "heads": [],
    }

    before = card_from_json(json.dumps({**plain, "of_a_newer_version": 1}))

    assert (before.input_hw, before.species, before.second_stage, before.blind) == ((64, 96), ("ALB", "NoF"), None, ())
    with pytest.raises(ValueError, match=r"^input_hw\.0: Input should be a valid integer"):
        card_from_json(json.dumps({**plain, "input_hw": ["wide", 96]}))
