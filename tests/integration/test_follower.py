"""The network that follows animals is kept like a model: its row is the authority; a file that differs is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from db.settings import Settings
from worker.events.follow import find_animals
from worker.events.hypotheses import hypotheses
from worker.events.keep_follower import FollowerError, keep_follower, serving_follower
from worker.events.learn import planned_sequences
from worker.events.train_follower import FollowerSettings, train_follower

QUICK = FollowerSettings(units=8, epochs=2)


def test_a_follower_that_was_trained_serves_until_its_file_is_another(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    [camera] = planned_sequences(range(1), per_second=1.0, duration_s=120.0, seed=1)
    model = train_follower(hypotheses([camera], np.random.default_rng(0)), QUICK)
    assert serving_follower(engine, settings) is None

    follower_id = keep_follower(engine, settings, model, card={"cell": "gru"})
    serving = serving_follower(engine, settings)

    assert serving is not None
    assert serving[0] == follower_id
    animals = find_animals(camera.sequence, serving[1])
    assert 0 < len(animals) < len(camera.sequence.sightings)
    [file] = settings.models_dir.glob("*/follower.keras")
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(FollowerError, match="is not the follower that was registered"):
        serving_follower(engine, settings)
    file.unlink()
    with pytest.raises(FollowerError, match="`cli train --events` makes a new one"):
        serving_follower(engine, settings)
