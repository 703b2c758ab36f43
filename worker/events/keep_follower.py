"""Keeps a trained follower in HOME, and brings the one that serves; its file must be the registered one."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine

from db.errors import TaffrailError
from db.session import reading, transaction
from db.settings import Settings
from db.store.events import add_follower, newest_follower
from db.whole_files import whole_file
from worker.events.follow import NetworkFollower
from worker.events.steps import INPUTS, MAX_STEPS
from worker.storage.model_files import FOLLOWER_NAME


class FollowerError(TaffrailError):
    """A follower's file is missing, altered, or made for other inputs."""


def keep_follower(engine: Engine, settings: Settings, model: Any, *, card: dict[str, object]) -> str:
    """Return the id of a follower that was trained; it serves from now on."""
    follower_id = f"f{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    file = _file(settings, follower_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as draft, TemporaryDirectory(dir=file.parent) as folder:
        model.save(Path(folder) / FOLLOWER_NAME)  # Keras writes no other ending
        (Path(folder) / FOLLOWER_NAME).replace(draft)
    with transaction(engine) as session:
        add_follower(
            session,
            follower_id,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            card={**card, "inputs": INPUTS, "steps": MAX_STEPS},
        )
    return follower_id


def serving_follower(engine: Engine, settings: Settings) -> tuple[str, NetworkFollower] | None:
    """Return the newest follower and its id, None where none was trained.

    Raises:
        FollowerError: its file is missing, altered, or made for other inputs.
    """
    with reading(engine) as session:
        row = newest_follower(session)
        held = None if row is None else (row.id, row.sha256, dict(row.card))
    if held is None:
        return None
    follower_id, sha256, card = held
    file = _file(settings, follower_id)
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise FollowerError(f"{file}: {error.strerror}; `cli train --events` makes a new one") from None
    if found != sha256:
        raise FollowerError(f"{file}: is not the follower that was registered; `cli train --events` makes a new one")
    if (card.get("inputs"), card.get("steps")) != (INPUTS, MAX_STEPS):
        raise FollowerError(f"follower {follower_id}: of an earlier version; `cli train --events` makes a new one")
    from worker.models.keras_import import keras

    return follower_id, NetworkFollower(keras.saving.load_model(file))


def _file(settings: Settings, follower_id: str) -> Path:
    return settings.models_dir / follower_id / FOLLOWER_NAME
