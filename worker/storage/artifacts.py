"""Where crops and models lie: in HOME, or (TAFFRAIL_ARTIFACTS) in an object store that every machine reaches.

Names are relative, such as `crops/ab/abcd...-0.jpg` or `models/<id>/model.keras`. An artifact is written once and never
changed, so that writing it again is harmless and a copy is as good as the original. Models are served from HOME: what
another machine trained is brought there once, and its hash is checked against the registry as ever.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from db.settings import Settings
from db.store.model_versions import ModelVersion
from db.whole_files import sync_files, whole_folder, write_whole
from worker.images.errors import StoreUnreachable, UnreadableImage
from worker.images.read import read_image_file
from worker.storage.model_files import CARD_NAME, CROPS_NAME, MODEL_NAME, check_model_file, model_folder

_MAX_MODEL_BYTES = 4 * 2**30


class _NotThere(Exception):
    """The store has no such model version, or not all of it yet."""


def artifacts_root(settings: Settings) -> bytes:
    """Return where artifacts lie: HOME, or a URL; `read_image_file` takes paths below either."""
    return _place(settings) or os.fsencode(settings.home)


def artifact_path(settings: Settings, name: str) -> bytes:
    """Return the path or the URL of an artifact."""
    return artifacts_root(settings) + b"/" + os.fsencode(name)


def put_artifact(settings: Settings, name: str, content: bytes) -> None:
    """Write an artifact whole; in HOME without waiting for the disk, since a crop can be cut again from its image.

    Raises:
        OSError: the disk is full or cannot be written; nothing torn is left. StoreUnreachable: the store cannot.
    """
    if _place(settings) is not None:
        from worker.images.object_store import write_remote_file

        write_remote_file(artifact_path(settings, name), content)
        return
    file = settings.home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, content, synced=False)


def sync_artifacts(settings: Settings, names: Sequence[str]) -> None:
    """Bring artifacts that were written to the disk, before rows name them: what a row names is there for good.

    Raises:
        OSError: the disk fails.
    """
    if _place(settings) is None:
        sync_files([settings.home / name for name in names])


def publish_model(settings: Settings, model_id: str) -> None:
    """Let other machines have a model version whose files were just written to HOME.

    Raises:
        StoreUnreachable: the store cannot be written.
    """
    if _place(settings) is None:
        return
    folder = model_folder(settings.models_dir, model_id)
    for file in sorted(folder.iterdir(), key=lambda file: file.name == CARD_NAME):  # the card last: then all is there
        put_artifact(settings, f"models/{model_id}/{file.name}", file.read_bytes())


def bring_model(settings: Settings, model_id: str) -> None:
    """Bring a model version that another machine made to HOME; whoever loads it checks its hash.

    Raises:
        StoreUnreachable: the store does not answer.
    """
    folder = model_folder(settings.models_dir, model_id)
    if _place(settings) is None or folder.exists():
        return
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    try:
        with whole_folder(folder) as draft:
            for name in (MODEL_NAME, CROPS_NAME, CARD_NAME):
                _bring(settings, f"models/{model_id}/{name}", draft / name)
            if not (draft / CARD_NAME).exists():
                raise _NotThere
    except _NotThere:
        return  # the check of hashes tells that the version is missing
    except OSError as error:
        if not folder.exists():  # else another process brought it at the same moment
            raise StoreUnreachable(f"model {model_id}: cannot be brought to {folder} ({error.strerror})") from error


def held_model(settings: Settings, version: ModelVersion) -> Path:
    """Return the folder of a registered version whose files are here and exactly the registered ones.

    They are brought where another machine made them, which may take minutes: call it outside of transactions.
    Raises:
        StoreUnreachable: the store does not answer. ModelFileError: a file is missing, or its content is another.
    """
    bring_model(settings, version.model_id)
    return check_model_file(settings.models_dir, version.model_id, version.sha256, version.crops_sha256)


def _bring(settings: Settings, name: str, target: Path) -> None:
    try:
        target.write_bytes(read_image_file(artifact_path(settings, name), max_bytes=_MAX_MODEL_BYTES).content)
    except UnreadableImage:
        return  # not there: a version without a second stage, or none at all, which the check of hashes tells


def _place(settings: Settings) -> bytes | None:
    if not settings.artifacts:
        return None
    from worker.images.object_store import checked_root

    return checked_root(settings.artifacts.encode())
