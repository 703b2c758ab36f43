"""Model files: `models/<id>/` holds model.keras and card.json; an altered file is refused. No Keras at import."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from db.domain.model_versions import ModelCard
from worker.models.errors import ModelFileError

MODEL_NAME = "model.keras"
CARD_NAME = "card.json"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def model_folder(models_dir: Path, model_id: str) -> Path:
    """Return the folder of a model version.

    Raises:
        ModelFileError: the id is no plain name and could lead out of the models folder.
    """
    if not _SAFE_ID.fullmatch(model_id):
        raise ModelFileError(f"{model_id!r} is no model id (letters, digits, dot, dash, underscore)")
    return models_dir / model_id


def save_model(models_dir: Path, model_id: str, model: Any, card: ModelCard) -> str:
    """Write a model and its card; return the sha256 of model.keras. It appears whole or not at all.

    model: a Keras model; None for a kind without a network, whose model.keras is empty.
    Raises:
        ModelFileError: the version exists already, or the folder cannot be written.
    """
    folder = model_folder(models_dir, model_id)
    if folder.exists():
        raise ModelFileError(f"{folder}: exists already; a model version is never overwritten")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=models_dir))
        try:
            sha256 = _write_draft(draft, model, card)
            os.replace(draft, folder)
            _sync(models_dir)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    except OSError as error:
        raise ModelFileError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return sha256


def read_card(models_dir: Path, model_id: str) -> ModelCard:
    """Return the card of a model version as its file says.

    Raises:
        ModelFileError: the card is missing or damaged.
    """
    file = model_folder(models_dir, model_id) / CARD_NAME
    try:
        return card_from_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"{file}: not a model card ({error})") from error


def check_model_file(models_dir: Path, model_id: str, sha256: str) -> Path:
    """Return the folder of a model version whose file is exactly the registered one.

    Raises:
        ModelFileError: the file is missing, or its content is another.
    """
    file = model_folder(models_dir, model_id) / MODEL_NAME
    try:
        found = _sha256_of(file)
    except OSError as error:
        raise ModelFileError(
            f"{file}: cannot be read ({error.strerror or error}); restore it or train again"
        ) from error
    if found != sha256:
        raise ModelFileError(f"{file}: sha256 is {found[:12]}..., registered as {sha256[:12]}...; refused")
    return file.parent


def load_model(models_dir: Path, model_id: str, sha256: str) -> Any:
    """Return the Keras model of a version, after checking its content.

    Raises:
        ModelFileError: missing, altered, or no model.
    """
    return load_model_file(check_model_file(models_dir, model_id, sha256))


def load_model_file(folder: Path) -> Any:
    """Return the Keras model in a version's folder; a file that wants to run code of its own is refused.

    Raises:
        ModelFileError: the file cannot be loaded.
    """
    from worker.models.keras_import import keras

    file = folder / MODEL_NAME
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds; all mean that this file is no usable model
        raise ModelFileError(f"{file}: cannot be loaded ({str(error).splitlines()[0][:200]})") from error


def card_to_json(card: ModelCard, *, sha256: str) -> str:
    """Return a card as JSON text, with the hash of its model file."""
    return json.dumps({**dataclasses.asdict(card), "sha256": sha256}, indent=2, sort_keys=True) + "\n"


def card_from_json(text: str) -> ModelCard:
    """Return the card that a JSON text holds; keys of newer versions are ignored.

    Raises:
        ValueError, TypeError, KeyError: the text is no card.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError(f"holds a {type(raw).__name__}, wanted an object")
    known = {field.name for field in dataclasses.fields(ModelCard)}
    values = {name: value for name, value in raw.items() if name in known}
    rows, columns = values["input_hw"]
    values["input_hw"] = (int(rows), int(columns))
    values["species"], values["heads"] = tuple(values["species"]), tuple(values["heads"])
    values["folds"] = tuple(tuple(fold) for fold in values.get("folds", ()))
    return ModelCard(**values)


def _write_draft(draft: Path, model: Any, card: ModelCard) -> str:
    file = draft / MODEL_NAME
    if model is None:
        file.write_bytes(b"")
    else:
        model.save(file)
    sha256 = _sha256_of(file)
    (draft / CARD_NAME).write_text(card_to_json(card, sha256=sha256), encoding="utf-8")
    for path in (file, draft / CARD_NAME, draft):
        _sync(path)
    draft.chmod(0o755)
    return sha256


def _sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
