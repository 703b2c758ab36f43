"""Model files: `models/<id>/` is a bundle of model.keras (the detector), perhaps crops.keras (the second stage), and
card.json; an altered file is refused. No Keras at import."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from db.domain.cards import card_from_plain, plain_card
from db.domain.model_versions import ModelCard
from db.whole_files import whole_folder, write_whole
from worker.models.errors import ModelFileError
from worker.models.unpacked_size import check_unpacked_size

MODEL_NAME = "model.keras"
FOLLOWER_NAME = "follower.keras"
CROPS_NAME = "crops.keras"
CARD_NAME = "card.json"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class BundleHashes:
    """The hashes of a bundle's files; the registry's row holds them and is the authority."""

    sha256: str
    crops_sha256: str | None = None


@dataclass(frozen=True)
class HeldModel:
    """A file of a version that exists, to be taken over as it is by another version."""

    model_id: str
    sha256: str


def new_model_id() -> str:
    """Return an id that sorts by time and is safe as a folder's name."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def model_folder(models_dir: Path, model_id: str) -> Path:
    """Return the folder of a model version.

    Raises:
        ModelFileError: the id is no plain name and could lead out of the models folder.
    """
    if not _SAFE_ID.fullmatch(model_id):
        raise ModelFileError(f"{model_id!r} is no model id (letters, digits, dot, dash, underscore)")
    return models_dir / model_id


def save_model(models_dir: Path, model_id: str, model: Any, card: ModelCard) -> str:
    """Write a detector without a second stage and its card; return the sha256 of model.keras.

    Raises:
        ModelFileError: the version exists already, or the folder cannot be written.
    """
    return save_bundle(models_dir, model_id, model, card).sha256


def save_bundle(
    models_dir: Path, model_id: str, model: Any, card: ModelCard, *, crops: Any = None, held_dir: Path | None = None
) -> BundleHashes:
    """Write a version's files; return their hashes. The version appears whole or not at all.

    model, crops: a Keras model, or the held version whose file is taken over; None writes an empty model.keras (for a
    kind without a network) and no crops.keras. held_dir: where held versions lie, models_dir where not given.
    Raises:
        ModelFileError: the version exists already, a held file is altered, or the folder cannot be written.
    """
    folder = model_folder(models_dir, model_id)
    if folder.exists():
        raise ModelFileError(f"{folder}: exists already; a model version is never overwritten")
    if (crops is None) != (card.second_stage is None):
        raise ModelFileError(f"{folder}: the card and the files differ on whether there is a second stage")
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as draft:
            hashes = _write_draft(draft, held_dir or models_dir, model, crops, card)
    except OSError as error:
        raise ModelFileError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return hashes


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
    except ValueError as error:
        raise ModelFileError(f"{file}: not a model card ({error})") from error


def check_model_file(models_dir: Path, model_id: str, sha256: str, crops_sha256: str | None = None) -> Path:
    """Return the folder of a model version whose files are exactly the registered ones.

    Raises:
        ModelFileError: a file is missing, or its content is another.
    """
    folder = model_folder(models_dir, model_id)
    _check_file(folder / MODEL_NAME, sha256)
    if crops_sha256 is not None:
        _check_file(folder / CROPS_NAME, crops_sha256)
    return folder


def load_model(models_dir: Path, model_id: str, sha256: str) -> Any:
    """Return the Keras model of a version, after checking its content.

    Raises:
        ModelFileError: missing, altered, or no model.
    """
    return load_model_file(check_model_file(models_dir, model_id, sha256))


def load_model_file(folder: Path, name: str = MODEL_NAME) -> Any:
    """Return a Keras model in a version's folder; a file that wants to run code of its own is refused.

    Raises:
        ModelFileError: the file cannot be loaded.
    """
    from worker.models.keras_import import keras

    file = folder / name
    check_unpacked_size(file)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds; all mean that this file is no usable model
        raise ModelFileError(f"{file}: cannot be loaded ({str(error).splitlines()[0][:200]})") from error


def card_to_json(card: ModelCard, *, sha256: str, crops_sha256: str | None = None) -> str:
    """Return a card as JSON text, with the hashes of its model files."""
    hashes = {"sha256": sha256} | ({"crops_sha256": crops_sha256} if crops_sha256 else {})
    return json.dumps({**plain_card(card), **hashes}, indent=2, sort_keys=True) + "\n"


def card_from_json(text: str) -> ModelCard:
    """Return the card that a JSON text holds; keys of newer versions are ignored.

    Raises:
        ValueError: the text is no card; one line says what was found where.
    """
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError(f"holds a {type(raw).__name__}, wanted an object")
    return card_from_plain(raw)


def write_card(models_dir: Path, model_id: str, card: ModelCard, *, hashes: BundleHashes) -> None:
    """Write a model's card anew; for one that is not registered yet.

    Raises:
        OSError: it cannot be written.
    """
    file = model_folder(models_dir, model_id) / CARD_NAME
    text = card_to_json(card, sha256=hashes.sha256, crops_sha256=hashes.crops_sha256)
    write_whole(file, text.encode())


def _check_file(file: Path, sha256: str) -> None:
    try:
        found = _sha256_of(file)
    except OSError as error:
        raise ModelFileError(
            f"{file}: cannot be read ({error.strerror or error}); restore it or train again"
        ) from error
    if found != sha256:
        raise ModelFileError(f"{file}: sha256 is {found[:12]}..., registered as {sha256[:12]}...; refused")


def _write_draft(draft: Path, models_dir: Path, model: Any, crops: Any, card: ModelCard) -> BundleHashes:
    files = [draft / MODEL_NAME]
    _write_model(models_dir, model, draft / MODEL_NAME)
    if crops is not None:
        _write_model(models_dir, crops, draft / CROPS_NAME)
        files.append(draft / CROPS_NAME)
    hashes = BundleHashes(*(_sha256_of(file) for file in files))
    text = card_to_json(card, sha256=hashes.sha256, crops_sha256=hashes.crops_sha256)
    (draft / CARD_NAME).write_text(text, encoding="utf-8")
    return hashes


def _write_model(models_dir: Path, model: Any, file: Path) -> None:
    if model is None:
        file.write_bytes(b"")
    elif isinstance(model, HeldModel):
        held = model_folder(models_dir, model.model_id) / file.name
        _check_file(held, model.sha256)
        _link_or_copy(held, file)
    else:
        model.save(file)


def _link_or_copy(held: Path, file: Path) -> None:
    # Linked where the disk can: model files are never written again, and an altered one is refused by its hash.
    try:
        os.link(held, file)
    except OSError:
        shutil.copyfile(held, file)


def _sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
