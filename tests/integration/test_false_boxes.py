"""A box that a person takes away reaches the next training as what is no fish."""

from __future__ import annotations

from pathlib import Path
from random import Random

from sqlalchemy import Engine

from annotator.corrections.import_corrections import import_reviews
from annotator.export.export_flagged import ReviewExportOptions, export_flagged
from annotator.simulation.oracle import answer_folder
from db.domain.boxes import Box
from db.domain.labels import ImageLabel, LabelledBox
from db.domain.species import DEFAULT_LABEL_SET
from db.session import reading
from db.settings import Settings
from tests.integration.test_review_export import EVERY, FISH, content_hash, hold_fleet
from worker.training.crops.held import false_boxes_held
from worker.training.crops.samples import crop_samples
from worker.training.data.samples import with_false_boxes
from worker.training.data.snapshot import entries_said, training_samples

ELSEWHERE = Box(40, 20, 60, 34)


def test_a_removed_box_is_a_false_box_of_the_next_training(engine: Engine, tmp_path: Path) -> None:
    hold_fleet(engine, tmp_path / "fleet", count=4)
    options = ReviewExportOptions(count=4, random_share=0.0, label_set=DEFAULT_LABEL_SET)
    export_flagged(tmp_path / "out", EVERY, options, engine=engine, rng=Random(3))
    hashes = [content_hash(tmp_path / "fleet" / f"{number}.png") for number in range(4)]
    truth = {one: ImageLabel("BET", (LabelledBox(FISH, "BET"),)) for one in hashes}
    truth[hashes[1]] = ImageLabel("NoF")
    truth[hashes[2]] = ImageLabel("BET", (LabelledBox(ELSEWHERE, "BET"),))
    answer_folder(tmp_path / "out", truth)

    import_reviews(tmp_path / "out", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")

    with reading(engine) as session:
        samples = training_samples(entries_said(session, Settings(home=tmp_path / "home")))
    told = {one.sha256: one for one in with_false_boxes(samples, false_boxes_held(engine))}
    assert [told[one].false_boxes for one in hashes] == [(), (FISH,), (FISH,), ()]
    no_fish = [crop.box for crop in crop_samples(list(told.values())).samples if crop.species == "NoF"]
    assert no_fish.count(FISH) == 2
