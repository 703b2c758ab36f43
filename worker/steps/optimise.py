"""Times and compares the runtimes of a model version on this machine, and chooses one: `cli models optimise`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from db.domain.boxes import Box
from db.domain.model_versions import ModelCard, ModelState
from db.domain.runtimes import Runtime, RuntimeChoice, RuntimeFigures, RuntimeLimits, fastest_within
from db.domain.species import LabelSet
from db.errors import NotFoundError, TaffrailError
from db.migrate import open_database
from db.one_line import first_line
from db.progress import StageProgress, of_stage
from db.session import reading
from db.settings import Settings, get_settings
from db.store.model_versions import ModelVersion, get_champion, get_model
from worker.evaluation.figures import compared_figures
from worker.evaluation.version import Sides, evaluate_version, sides_of
from worker.images.errors import UnreadableImage
from worker.images.labelled import open_labelled
from worker.inference.detector import AnyDetector, batch_of, inputs_of, make_detector
from worker.inference.runtimes.choices import chooses_by_itself, keep_choice, machine_kind, prepared_folder
from worker.inference.runtimes.compile import ServedBy
from worker.inference.runtimes.network import RuntimeMissing
from worker.inference.second_stage import BATCH_CROPS, CropClassifier, load_crop_classifier
from worker.models.detector import fold_batch_norms
from worker.steps.requests import OPTIMISE, OptimiseRequest, OptimiseResult
from worker.steps.step_process import serve_step
from worker.storage.artifacts import held_model
from worker.storage.model_files import CROPS_NAME, load_model_file, read_card
from worker.training.data.check_samples import check_samples
from worker.training.data.samples import TrainingSample
from worker.training.data.snapshot import entries_said, training_samples
from worker.vision.crops import letterbox_crop
from worker.vision.letterbox import letterbox_image

# Enough to tell runtimes apart by a factor of 1.1 on a busy machine; medians of each.
_TIMED_CALLS = 7
_CALIBRATED_IMAGES = 48

_log = logging.getLogger("taffrail.worker")
Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Version:
    """A version to be served. images, crops: what its networks are timed and calibrated on."""

    model: ModelVersion
    card: ModelCard
    folder: Path
    sides: Sides
    images: tuple[Images, ...]
    crops: Images


@dataclass(frozen=True)
class _Said:
    """How good the answers of a runtime are on the held-out images, and how many crops an image brings."""

    balanced_accuracy: float
    iou: float
    log_loss: float
    crops: float


def optimise(request: OptimiseRequest, progress: StageProgress) -> OptimiseResult:
    """Return what each runtime costs and loses on this machine, and the one that was chosen; it serves from now on.

    Raises:
        NotFoundError: there is no such version. ModelError: no image is of a camera held out from it.
    """
    settings = get_settings()
    started = time.monotonic()
    version = _load(request.model, settings, images=request.images)
    prepared = prepared_folder(settings.home, version.model.sha256)
    reference: _Said | None = None
    figures: list[RuntimeFigures] = []
    for runtime in (Runtime.KERAS, *(one for one in request.runtimes or tuple(Runtime) if one is not Runtime.KERAS)):
        if request.within_s is not None and figures and time.monotonic() - started > request.within_s:
            break
        try:
            if runtime is Runtime.OPENVINO_INT8:
                _calibrate(version, prepared, progress)
            measured, said = _measure(version, ServedBy(runtime, prepared), settings, progress, reference)
        except RuntimeMissing as error:
            figures.append(RuntimeFigures(runtime=runtime, image_ms=0.0, crop_ms=0.0, problem=str(error)))
            continue
        reference = reference or said
        figures.append(measured)
    assert reference is not None  # Keras is always there
    choice = RuntimeChoice(
        machine=machine_kind(),
        runtime=fastest_within(tuple(figures), crops=reference.crops, limits=RuntimeLimits()),
        images=len(version.sides.unseen),
        crops=round(reference.crops, 3),
        figures=tuple(figures),
    )
    file = keep_choice(settings.home, version.model.model_id, choice)
    return OptimiseResult(model=version.model.model_id, choice=choice, file=str(file))


def choose_at_once(model: str, settings: Settings, progress: StageProgress) -> RuntimeChoice | None:
    """Return the runtime that a few held-out images choose for a version, kept as `optimise` keeps it.

    None where none is to be chosen: by the settings, because only Keras is here, or without labelled held-out images.
    """
    if not chooses_by_itself(settings, model):
        return None
    try:
        return optimise(OptimiseRequest.at_once(model), progress).choice
    except TaffrailError as error:  # Keras serves
        _log.warning("model %s: no runtime is chosen: %s", model, first_line(error))
        return None


def _load(name: str, settings: Settings, *, images: int) -> _Version:
    with reading(open_database(settings.database)) as session:
        model = get_champion(session) if name == ModelState.CHAMPION else get_model(session, name)
        samples = training_samples(entries_said(session, settings))
    if model is None:
        raise NotFoundError("no model serves yet; `cli train` makes the first one")
    folder = held_model(settings, model)
    card = read_card(folder.parent, folder.name)
    checked = check_samples(samples, LabelSet(card.species))
    once = list({sample.sha256: sample for sample in checked.samples}.values())
    sides = sides_of(model.model_id, card, once)
    unseen = sorted(sides.unseen, key=lambda sample: sample.sha256)[:images]
    pixels, crops = _pixels(card, unseen[:_CALIBRATED_IMAGES])
    return _Version(model, card, folder, Sides(sides.learnt, unseen), pixels, crops)


def _pixels(card: ModelCard, samples: Sequence[TrainingSample]) -> tuple[tuple[Images, ...], Images]:
    """Return decoded images, (H, W, 3) each, and crops of their labelled fish, (M, P, P, 3)."""
    images, crops, part = [], [], card.second_stage
    for sample in samples:
        try:
            decoded = open_labelled(sample).decode()
        except UnreadableImage:
            continue
        images.append(decoded.pixels)
        boxes = [fish.box for fish in sample.label.boxes] or [Box(0, 0, decoded.width_px, decoded.height_px)]
        if part is not None:
            size = {"width_px": decoded.width_px, "height_px": decoded.height_px}
            crops += [
                letterbox_crop(decoded.pixels, box, **size, side_px=part.crop_px, margin=part.margin) for box in boxes
            ]
    if not images:
        raise NotFoundError(f"none of {len(samples)} held-out images can be read")
    return tuple(images), np.stack(crops) if crops else np.zeros((0, 1, 1, 3), dtype=np.uint8)


def _measure(
    version: _Version, served: ServedBy, settings: Settings, progress: StageProgress, reference: _Said | None
) -> tuple[RuntimeFigures, _Said]:
    detector = make_detector(version.card, version.folder, batch_size=settings.network_batch, served=served)
    detector.warm_up()
    classifier = load_crop_classifier(version.card.second_stage, version.folder, served=served)
    batch = _repeated(_fitted(version.images, version.card.input_hw), settings.network_batch)
    image_ms = _cpu_ms(lambda: detector.predict(batch), of=len(batch))
    crop_ms = 0.0
    if classifier is not None and len(version.crops):
        crops = _repeated(version.crops, BATCH_CROPS)
        crop_ms = _cpu_ms(lambda: classifier.answers(crops), of=len(crops))
    said = _said(version, detector, classifier, of_stage(progress, f"runtime {served.runtime}"))
    against = reference or said
    figures = RuntimeFigures(
        runtime=served.runtime,
        image_ms=round(image_ms, 2),
        crop_ms=round(crop_ms, 2),
        balanced_accuracy_lost=round(against.balanced_accuracy - said.balanced_accuracy, 5),
        iou_lost=round(against.iou - said.iou, 5),
        log_loss_gained=round(said.log_loss - against.log_loss, 5),
        problem=None if detector.runtime is served.runtime else "failed while it was measured; Keras took over",
    )
    return figures, said


def _said(
    version: _Version,
    detector: AnyDetector,
    classifier: CropClassifier | None,
    progress: Callable[[int, int], None],
) -> _Said:
    evaluated, answers = evaluate_version(
        version.card,
        version.sides,
        detector=detector,
        crop_classifier=classifier,
        heatmaps=False,
        on_skipped=lambda skipped: None,  # the same files are skipped for every runtime
        progress=progress,
    )
    parts = np.unique(evaluated.cameras, return_inverse=True)[1]
    final = compared_figures(evaluated, answers[-1], parts).mean
    found = [len(fish) for fish in answers[-1].found or ()]
    return _Said(
        balanced_accuracy=float(final["balanced_accuracy"]),
        iou=float(final.get("iou") or 0.0),
        log_loss=float(final["log_loss"]),
        crops=float(np.mean(found)) if found else 0.0,
    )


def _calibrate(version: _Version, prepared: Path, progress: StageProgress) -> None:
    """Calibrate int8 graphs of both networks at every input that is served, on held-out images.

    Raises:
        RuntimeMissing: OpenVINO or NNCF is not installed.
    """
    try:
        from worker.inference.runtimes.openvino_network import calibrate_int8
    except ImportError as error:
        raise RuntimeMissing(f"runtime openvino-int8: {error.name} is not installed; the extra openvino") from None
    detector = fold_batch_norms(load_model_file(version.folder))
    steps = inputs_of(version.card)
    for done, step in enumerate(steps):
        progress("calibrating int8", done, len(steps) + 1)
        size = batch_of(step, get_settings().network_batch)
        batches = _batches(_fitted(version.images, step.input_hw), size)
        calibrate_int8(detector, batches, prepared=prepared / "detector")
    progress("calibrating int8", len(steps), len(steps) + 1)
    if version.card.second_stage is not None and len(version.crops):
        crops = fold_batch_norms(load_model_file(version.folder, CROPS_NAME))
        calibrate_int8(crops, _batches(version.crops, BATCH_CROPS), prepared=prepared / "crops")
    progress("calibrating int8", len(steps) + 1, len(steps) + 1)


def _fitted(images: Sequence[Images], input_hw: tuple[int, int]) -> Images:
    """Return images as the detector sees them, (N, H, W, 3)."""
    return np.stack([letterbox_image(pixels, into_hw=input_hw)[0] for pixels in images])


def _batches(rows: Images, size: int) -> list[Images]:
    return [_repeated(rows[start : start + size], size) for start in range(0, len(rows), size)]


def _repeated(rows: Images, size: int) -> Images:
    """Return exactly so many rows, the first ones again where there are fewer."""
    return np.resize(rows, (size, *rows.shape[1:]))


def _cpu_ms(call: Callable[[], object], *, of: int) -> float:
    """Return the median processor time of a call, ms for each of its rows: other work on the machine does not count."""
    call()
    taken = []
    for _ in range(_TIMED_CALLS):
        started = time.process_time()
        call()
        taken.append(time.process_time() - started)
    return median(taken) * 1000.0 / of


if __name__ == "__main__":
    serve_step(OPTIMISE, optimise)
