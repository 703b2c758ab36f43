"""A job from plan to catch figures, on both databases: what is promised, stored, reviewed and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, select, update

from annotator.catch.design import PlanRequest
from annotator.catch.frame import PlanError
from annotator.catch.plan import Proposal, propose_plan, write_plan
from annotator.catch.summary import summarise_catch
from annotator.corrections.import_corrections import import_reviews
from annotator.export.export_flagged import ReviewExportOptions
from annotator.labelme.json_files import read_labelme
from annotator.simulation.oracle import answer_folder
from db.domain.catch import CatchSummary, Grouping
from db.domain.plans import PlanUnit, target_from
from db.domain.species import DEFAULT_LABEL_SET, UnknownSpecies
from db.session import reading, transaction
from db.store.plans import draw_weights, plans_of_job
from db.tables.images import CameraRow
from db.tables.jobs import ItemRow
from db.tables.models import ModelVersionRow
from db.tables.plans import ReviewPlanItemRow
from db.tables.predictions import PredictionRow
from tests.drawn_job import CAMERAS, DAYS, Truth, hold_job

IMAGES = 120


@pytest.fixture
def truth(engine: Engine, tmp_path: Path) -> Truth:
    return hold_job(engine, tmp_path / "fleet", images=IMAGES)


def propose(engine: Engine, *, images: int | None = None, targets: Sequence[str] = (), seed: int = 1) -> Proposal:
    request = PlanRequest(targets=tuple(map(target_from, targets)), images=images, seed=seed)
    return propose_plan(engine, 1, request, label_set=DEFAULT_LABEL_SET)


def write(engine: Engine, out: Path, proposal: Proposal) -> None:
    options = ReviewExportOptions(proposal.design.images, 0.0, DEFAULT_LABEL_SET)
    assert write_plan(engine, out, proposal, options).problems == ()


def review(engine: Engine, folder: Path, truth: Truth) -> None:
    answer_folder(folder, truth)
    import_reviews(folder, engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")


def summarise(engine: Engine, *by: Grouping) -> CatchSummary:
    return summarise_catch(engine, 1, by, label_set=DEFAULT_LABEL_SET)


def total(truth: Truth, species: str) -> int:
    return sum(label.species == species for label in truth.values())


def test_a_reviewed_plan_tells_totals_whose_intervals_hold_the_truth(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=60))
    review(engine, tmp_path / "plan", truth)

    found = summarise(engine)

    assert found.plan is not None and found.plan.is_complete and found.notes == ()
    figures = {one.figure: one for one in found.figures}
    for species in ("ALB", "BET"):
        estimate = figures[species].estimate
        assert estimate is not None and estimate.low <= total(truth, species) <= estimate.high
        assert estimate.low < estimate.high
    missed = found.missed[0]
    assert missed.share is not None and missed.unseen == IMAGES - 60
    assert found.decided == 60 and found.more_to_halve is not None


def test_what_was_drawn_is_stored_before_anyone_looks(engine: Engine, tmp_path: Path, truth: Truth):
    proposal = propose(engine, images=40)
    write(engine, tmp_path / "plan", proposal)

    with reading(engine) as session:
        held = plans_of_job(session, 1)[0]

    assert held.design == proposal.design and held.origin.images == IMAGES
    assert len(held.items) == 40 and sum(item.certain for item in held.items) == 4
    assert all(0.0 < item.probability <= 1.0 for item in held.items)
    assert sum(1.0 / item.probability for item in held.items if not item.certain) == pytest.approx(IMAGES, rel=0.3)
    assert {item.day for item in held.items} == {f"2026-01-0{day}" for day in range(1, DAYS + 1)}


def test_the_same_seed_plans_the_same_images(engine: Engine, truth: Truth):
    once, again, other = (propose(engine, images=30, seed=seed).chosen.places.tolist() for seed in (1, 1, 2))

    assert once == again != other


def test_a_plan_half_reviewed_gives_figures_so_far(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=60))
    leave_unanswered(tmp_path / "plan", truth, count=20)

    found = summarise(engine)

    import_reviews(tmp_path / "plan", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")
    half = summarise(engine)
    assert found.plan is not None and found.plan.left == 60
    assert half.plan is not None and half.plan.left == 20
    assert half.notes[0].startswith("so far: 20 of the 60 images")
    alb = next(one for one in half.figures if one.figure == "ALB").estimate
    assert alb is not None and alb.low <= total(truth, "ALB") <= alb.high


def leave_unanswered(folder: Path, truth: Truth, *, count: int) -> None:
    """Answer all images of a folder but the last ones."""
    untouched = {file: file.read_bytes() for file in sorted(folder.glob("[0-9]*.json"))[-count:]}
    answer_folder(folder, truth)
    for file, content in untouched.items():
        file.write_bytes(content)


def test_a_second_plan_takes_what_was_said_before_for_known(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "first", propose(engine, images=30))
    review(engine, tmp_path / "first", truth)
    second = propose(engine, images=30, seed=2)
    write(engine, tmp_path / "second", second)
    newer = summarise(engine)
    review(engine, tmp_path / "second", truth)

    found = summarise(engine)

    assert (second.free, second.decided) == (IMAGES - 30, 30)
    assert newer.plan is not None and newer.plan.plan_id == 1
    assert any("plan 2 is newer" in note for note in newer.notes)
    assert found.plan is not None and found.plan.plan_id == 2 and found.decided == 60
    all_fish = next(one for one in found.figures if one.figure == "all fish")
    fish = IMAGES - total(truth, "NoF")
    assert all_fish.estimate is not None and all_fish.estimate.low <= fish <= all_fish.estimate.high


def test_when_everything_was_looked_at_the_total_is_known(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=IMAGES))
    review(engine, tmp_path / "plan", truth)

    found = {one.figure: one.estimate for one in summarise(engine).figures}

    for species in ("ALB", "BET"):
        estimate = found[species]
        assert estimate is not None
        assert estimate.low == estimate.value == estimate.high == total(truth, species)
    with pytest.raises(PlanError, match="people have decided on all 120 images"):
        propose(engine, images=5)


def test_groups_add_up_and_small_ones_are_refused(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=60))
    review(engine, tmp_path / "plan", truth)

    by_camera, by_trip = summarise(engine, Grouping.CAMERA), summarise(engine, Grouping.TRIP)
    tiny = summarise(engine, Grouping.CAMERA, Grouping.DAY)

    for grouped, groups in ((by_camera, CAMERAS), (by_trip, CAMERAS // 2), (tiny, CAMERAS * DAYS)):
        alb = [one for one in grouped.figures if one.figure == "ALB"]
        assert len(alb) == groups and sum(one.images for one in alb) == IMAGES
    assert any(one.estimate is None and one.reviewed < 5 for one in tiny.figures)
    assert all(one.estimate is not None for one in tiny.figures if one.reviewed >= 5)


def test_without_a_plan_nothing_is_said_of_what_nobody_saw(engine: Engine, truth: Truth):
    found = summarise(engine)

    assert all(one.estimate is None for one in found.figures)
    assert "cli review plan 1" in found.notes[0]


def test_a_target_is_planned_for_and_answered(engine: Engine, tmp_path: Path, truth: Truth):
    easy, hard = propose(engine, targets=["ALB:40%"]), propose(engine, targets=["ALB:10%"])
    missed = propose(engine, targets=["missed:10%"])
    write(engine, tmp_path / "plan", hard)
    review(engine, tmp_path / "plan", truth)

    state = summarise(engine).plan

    assert easy.design.images < hard.design.images < IMAGES
    assert missed.design.certain > 0 and missed.design.floor_share == 1.0
    assert missed.expected.missed.high <= 0.1
    assert state is not None and state.targets[0].target == "ALB:10%"
    assert state.targets[0].found is not None
    assert state.targets[0].reached == (state.targets[0].found <= 0.1)


def test_a_species_that_nobody_knows_is_refused(engine: Engine, truth: Truth):
    with pytest.raises(UnknownSpecies, match="did you mean BET"):
        propose(engine, targets=["BTE:20%"])
    with pytest.raises(PlanError, match="NoF is no fish"):
        propose(engine, targets=["NoF:20%"])


def test_a_job_that_still_runs_has_no_plan_yet(engine: Engine, tmp_path: Path):
    hold_job(engine, tmp_path / "fleet", images=20, pending=3)

    with pytest.raises(PlanError, match="3 of 23 images have no answer yet"):
        propose(engine, images=5)
    assert any("3 still without an answer" in note for note in summarise(engine).notes)


def test_a_model_that_changed_meanwhile_changes_no_figure(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=60))
    review(engine, tmp_path / "plan", truth)
    before = summarise(engine).figures
    answer_anew(engine)

    found = summarise(engine)

    assert found.figures == before and found.model_version == "m1"
    assert any("the plan was drawn for model m1" in note for note in found.notes)


def answer_anew(engine: Engine) -> None:
    """Let a new champion answer every image of the job."""
    with transaction(engine) as session:
        session.execute(update(ModelVersionRow).values(state="retired"))
        old = session.get(ModelVersionRow, "m1")
        assert old is not None
        session.add(
            ModelVersionRow(
                id="m2", state="champion", sha256="0", card=dict(old.card), note="", created_at=old.created_at
            )
        )
        session.flush()
        for row in session.scalars(select(PredictionRow)).all():
            values = {column.name: getattr(row, column.name) for column in PredictionRow.__table__.columns}
            session.add(PredictionRow(**{**values, "id": row.id + 10_000, "model_version_id": "m2", "species": "YFT"}))
        session.flush()
        session.execute(update(ItemRow).values(prediction_id=ItemRow.prediction_id + 10_000))


def test_a_camera_that_was_renamed_is_called_by_its_new_name(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=60))
    review(engine, tmp_path / "plan", truth)
    with transaction(engine) as session:
        session.execute(update(CameraRow).where(CameraRow.name == "camera_0").values(name="port side"))

    found = summarise(engine, Grouping.CAMERA)

    assert ("port side",) in {one.group for one in found.figures}
    assert ("camera_0",) not in {one.group for one in found.figures}


def test_an_image_that_nobody_can_tell_leaves_the_plan_complete(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, images=40))
    answer_folder(tmp_path / "plan", truth)
    file = sorted((tmp_path / "plan").glob("[0-9]*.json"))[0]
    unsure(file)
    import_reviews(tmp_path / "plan", engine=engine, label_set=DEFAULT_LABEL_SET, reviewer="oracle")

    found = summarise(engine)

    assert found.plan is not None and found.plan.is_complete and found.plan.undecided == 1
    assert any("nobody could tell" in note for note in found.notes)


def unsure(file: Path) -> None:
    shown = json.loads(file.read_text())
    assert "unsure" in read_labelme(file).flags
    shown["flags"] = {name: name == "unsure" for name in shown["flags"]}
    file.write_text(json.dumps(shown))


def test_an_image_that_vanished_is_left_out_and_told(engine: Engine, tmp_path: Path, truth: Truth):
    proposal = propose(engine, images=40)
    gone = int(proposal.frame.image_id[proposal.places[proposal.chosen.places[0]]])
    next((tmp_path / "fleet").rglob(f"{gone}.png")).unlink()
    options = ReviewExportOptions(40, 0.0, DEFAULT_LABEL_SET)

    written = write_plan(engine, tmp_path / "plan", proposal, options)

    assert len(written.items) == 39 and len(written.problems) == 1
    with reading(engine) as session:
        held = set(session.scalars(select(ReviewPlanItemRow.image_id)))
    assert gone not in held and len(held) == 39
    review(engine, tmp_path / "plan", truth)
    assert summarise(engine).plan is not None
    assert np.isfinite([one.estimate.value for one in summarise(engine).figures if one.estimate]).all()


def test_images_of_a_plan_count_by_one_over_their_stored_probability(engine: Engine, tmp_path: Path, truth: Truth):
    write(engine, tmp_path / "plan", propose(engine, targets=["BET:60%"]))
    with reading(engine) as session:
        (plan,) = plans_of_job(session, 1)
        weights = draw_weights(session, model_version=plan.origin.model_version)

    drawn = [item for item in plan.items if not item.certain]
    assert weights.keys() == {item.prediction_id for item in drawn}
    assert np.mean([weights[item.prediction_id] for item in drawn]) == pytest.approx(1.0)
    products = [weights[item.prediction_id] * item.probability for item in drawn]
    assert np.ptp(products) < 1e-6 and np.ptp([item.probability for item in drawn]) > 0.01


def test_images_of_days_that_were_drawn_whole_are_no_single_witnesses(engine: Engine, tmp_path: Path, truth: Truth):
    request = PlanRequest(images=100, seed=1, unit=PlanUnit.DAY)
    write(engine, tmp_path / "plan", propose_plan(engine, 1, request, label_set=DEFAULT_LABEL_SET))
    with reading(engine) as session:
        weights = draw_weights(session, model_version=plans_of_job(session, 1)[0].origin.model_version)

    assert weights and set(weights.values()) == {None}
