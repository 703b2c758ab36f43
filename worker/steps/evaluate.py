"""Evaluates networks, or a model version, on the labels held: the step of `cli evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import Engine

from db.domain.species import LabelSet
from db.errors import NotFoundError
from db.migrate import open_database
from db.progress import StageProgress, of_stage
from db.session import reading
from db.settings import Settings, get_settings
from db.store.model_versions import get_champion, get_model
from db.store.species import project_settings
from worker.evaluation.compared_models import Bench, parse_options
from worker.evaluation.cross_validate import cross_validate, refuse_early
from worker.evaluation.figures import compared_figures
from worker.evaluation.kept_answers import KeptAnswers
from worker.evaluation.version import evaluate_version, sides_of
from worker.evaluation.write import make_folder
from worker.images.labelled import SkippedFile
from worker.inference.detector import make_detector
from worker.inference.second_stage import load_crop_classifier
from worker.models.errors import TrainingError
from worker.models.names import DEFAULT_TRUNK, TRUNKS, HeadName
from worker.models.trunks import named_weights, weights_key
from worker.steps.evaluate_whole import evaluate_recipe
from worker.steps.evaluation_told import count_alike, evaluated_on, written
from worker.steps.left_out import told_of
from worker.steps.requests import EVALUATE, EvaluateRequest, EvaluateResult
from worker.steps.step_process import serve_step
from worker.storage.artifacts import held_model
from worker.storage.model_files import read_card
from worker.training.crops.held import false_boxes_held
from worker.training.data.check_samples import check_samples
from worker.training.data.near_duplicates import near_duplicates
from worker.training.data.samples import TrainingSample, with_false_boxes
from worker.training.data.snapshot import entries_said, training_samples
from worker.training.data.splits import SplitKind
from worker.training.detector.fit import FitSettings
from worker.training.detector.train_detector import usable_samples
from worker.training.features.compute import FeatureSource
from worker.training.features.thumbnails import thumbnails_of

CHAMPION = "champion"


def evaluate(request: EvaluateRequest, progress: StageProgress) -> EvaluateResult:
    """Return figures of heads, averages and baselines over folds, or of one model version; nothing is registered.

    request: model (an id or `champion`), or else split, folds, heads, trunk, weights, input_hw, epochs; seed; out (a
    folder to write plots into, or None) and images (how many to show there).
    Raises:
        TrainingError, ModelError: the labels held do not suffice; names what is missing.
    """
    settings = get_settings()
    if request.out:
        make_folder(request.out)
    engine = open_database(settings.database)
    settings = project_settings(engine, settings)
    with reading(engine) as session:
        samples = training_samples(entries_said(session, settings))
    if not samples:
        raise TrainingError("no labelled images; register some with: cli labels import")
    if request.model:
        return _version(request, settings, engine, samples, progress)
    if request.whole:
        return evaluate_recipe(request, settings, with_false_boxes(samples, false_boxes_held(engine)), progress)
    return _networks(request, settings, samples, progress)


def _networks(
    request: EvaluateRequest, settings: Settings, samples: Sequence[TrainingSample], progress: StageProgress
) -> EvaluateResult:
    options, split = parse_options(request.heads), SplitKind(request.split)
    seed, source = request.seed, _source(request, settings, progress)
    checked = check_samples(samples, settings.label_set)
    refuse_early(checked.samples, split)
    computed = source.compute(checked.samples)
    usable = usable_samples(checked.samples, computed.features, computed.unreadable)
    small = thumbnails_of(usable, settings.features_dir, progress=of_stage(progress, "thumbnails"))
    skipped = (*computed.unreadable, *small.skipped)  # a file may be gone since its features were cached
    usable = usable_samples(small.samples, computed.features, skipped)
    alike = near_duplicates(small.pixels, [(sample.width_px, sample.height_px) for sample in usable])
    weights = weights_key(source.trunk, source.weights)
    kept = KeptAnswers(
        settings.home / "training" / "evaluation",
        f"{source.trunk} {weights} {source.input_hw} {settings.label_set.names} {bool(request.out)}",
    )
    bench = Bench(
        usable,
        computed.features,
        settings.label_set,
        source.input_hw,
        lambda head: _fit_of(head, request),
        heatmaps=request.out is not None,
        kept=kept,
        progress=progress,
    )
    done = cross_validate(bench, options, split, alike=alike, folds=request.folds, seed=seed)
    result = EvaluateResult(
        split=str(split),
        trunk=source.trunk,
        folds=tuple(done.folds),
        random=done.at_random,
        near_duplicates=count_alike(alike),
        **dict(evaluated_on(request, usable, done.evaluated, source.input_hw)),
        compared_models=tuple(done.figures),
        unreadable=told_of((*checked.skipped, *skipped)),
        repaired=told_of(checked.repaired),
    )
    told = written(request, result, done.evaluated, done.answers)
    kept.forget()
    return told


def _version(
    request: EvaluateRequest,
    settings: Settings,
    engine: Engine,
    samples: Sequence[TrainingSample],
    progress: StageProgress,
) -> EvaluateResult:
    with reading(engine) as session:
        model_id = request.model or CHAMPION
        version = get_champion(session) if model_id == CHAMPION else get_model(session, model_id)
    if version is None:
        raise NotFoundError("no model serves yet; `cli train` makes the first one")
    folder = held_model(settings, version)
    card = read_card(folder.parent, folder.name)
    checked = check_samples(samples, LabelSet(card.species))
    once = list({sample.sha256: sample for sample in checked.samples}.values())
    sides = sides_of(version.model_id, card, once)
    skipped: list[SkippedFile] = []
    evaluated, answers = evaluate_version(
        card,
        sides,
        detector=make_detector(card, folder, batch_size=settings.network_batch),
        crop_classifier=load_crop_classifier(card.second_stage, folder),
        heatmaps=request.out is not None,
        on_skipped=skipped.append,
        progress=of_stage(progress, f"evaluation {version.model_id}"),
    )
    parts = np.unique(evaluated.cameras, return_inverse=True)[1]
    result = EvaluateResult(
        model=version.model_id,
        state=str(version.state),
        trunk=card.trunk,
        **dict(evaluated_on(request, once, evaluated, card.input_hw)),
        compared_models=tuple(compared_figures(evaluated, one, parts) for one in answers),
        unreadable=told_of((*checked.skipped, *skipped)),
        repaired=told_of(checked.repaired),
    )
    return written(request, result, evaluated, answers)


def _source(request: EvaluateRequest, settings: Settings, progress: StageProgress) -> FeatureSource:
    return FeatureSource(
        trunk=request.trunk,
        weights=named_weights(request.weights),
        input_hw=request.input_hw or TRUNKS[DEFAULT_TRUNK].input_hw,
        features_dir=settings.features_dir,
        progress=progress,
    )


def _fit_of(head: HeadName, request: EvaluateRequest) -> FitSettings:
    fit = replace(FitSettings(), seed=request.seed)
    return replace(fit, epochs=request.epochs, min_steps=0) if request.epochs else fit


if __name__ == "__main__":
    serve_step(EVALUATE, evaluate)
