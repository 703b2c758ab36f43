"""Audits what gives the species away besides the fish: `python -m worker.steps.audit_leakage`.

`cli audit leakage` starts it. It reads what was said of images so far and the serving model; it stores nothing but
cached features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from db.domain.leakage import HeatReport
from db.domain.model_versions import ModelCard
from db.errors import TaffrailError
from db.migrate import open_database
from db.progress import StageProgress, of_stage
from db.session import reading
from db.settings import Settings, get_settings
from db.store.model_versions import get_champion, get_model
from db.store.species import project_settings
from worker.images.labelled import Skip, SkippedFile
from worker.inference.detector import make_detector
from worker.leakage.ask_cues import ask_cues
from worker.leakage.see_heat import see_heat
from worker.leakage.verdicts import sentence, verdict_of_all
from worker.models.names import DEFAULT_TRUNK, TRUNKS
from worker.models.trunks import named_weights
from worker.steps.left_out import told_of
from worker.steps.requests import AUDIT_LEAKAGE, LeakageRequest, LeakageResult
from worker.steps.step_process import serve_step
from worker.storage.artifacts import held_model
from worker.storage.model_files import read_card
from worker.training.data.check_samples import check_samples
from worker.training.data.samples import TrainingSample
from worker.training.data.snapshot import entries_said, training_samples
from worker.training.features.compute import FeatureSource

_MIN_IMAGES = 20
_MOST_HEAT_MAPS = 400  # in the order of their hash, which nobody can choose


class LeakageError(TaffrailError):
    """The images held do not make an audit."""


def audit_leakage(request: LeakageRequest, progress: StageProgress) -> LeakageResult:
    """Return what tells the species besides the fish, in figures, verdicts and one sentence.

    Raises:
        LeakageError: no labels, one camera, one species, too few images. NotFoundError: no such model.
    """
    engine = open_database(get_settings().database)
    settings = project_settings(engine, get_settings())
    with reading(engine) as session:
        entries = entries_said(session, settings)
        model = get_model(session, request.model) if request.model else get_champion(session)
    checked = check_samples(training_samples(entries), settings.label_set)
    samples = list({sample.sha256: sample for sample in checked.samples}.values())
    refuse_unauditable(samples)
    folder = held_model(settings, model) if model else None
    found = ask_cues(
        samples,
        source=_source(request, settings, read_card(folder.parent, folder.name) if folder else None, progress),
        label_set=settings.label_set,
        seed=request.seed,
    )
    gone: list[SkippedFile] = []
    heat, no_heat = _heat(folder, samples, on_skipped=gone.append, progress=progress)
    majority = Counter(sample.label.species for sample in samples).most_common(1)[0][0]
    left_out = dict.fromkeys([*checked.skipped, *found.unreadable, *gone])
    return LeakageResult(
        images=found.cues[0].images,
        boxless=found.boxless,
        near_duplicates=found.near_duplicates,
        cameras=len({sample.camera for sample in samples}),
        species=dict(Counter(sample.label.species for sample in samples)),
        majority=majority,
        cues=tuple(found.cues),
        gap=found.gap,
        heat=heat,
        no_heat=no_heat,
        verdict=str(verdict_of_all(found.cues)),
        sentence=sentence(found.cues, majority=majority, gap=found.gap, heat=heat),
        unreadable=told_of(left_out),
        repaired=told_of(checked.repaired),
    )


def refuse_unauditable(samples: Sequence[TrainingSample]) -> None:
    """Refuse images of which nothing can be told.

    Raises:
        LeakageError: names what is missing.
    """
    if not samples:
        raise LeakageError(
            "nobody has said yet what any image shows; `cli labels import` or `cli review import` bring that in"
        )
    cameras, species = {sample.camera for sample in samples}, {sample.label.species for sample in samples}
    if len(cameras) < 2:
        raise LeakageError(
            f"all {len(samples)} labelled images are of one camera ({cameras.pop()}); a leak shows between cameras, "
            "so 2 are needed at least (`cli cameras` shows and corrects them)"
        )
    if len(species) < 2:
        raise LeakageError(f"all {len(samples)} labelled images show {species.pop()}; 2 species are needed at least")
    if len(samples) < _MIN_IMAGES:
        raise LeakageError(f"{len(samples)} labelled images tell nothing; {_MIN_IMAGES} are needed at least")


def _source(
    request: LeakageRequest, settings: Settings, card: ModelCard | None, progress: StageProgress
) -> FeatureSource:
    """Return the features to ask: by the model's own trunk and size, which training cached, where nothing is given."""
    own = card if card is not None and card.trunk in TRUNKS else None
    weights = request.weights or (own.recipe.weights if own else "imagenet")
    rows, columns = request.input_hw or (own.input_hw if own else TRUNKS[DEFAULT_TRUNK].input_hw)
    return FeatureSource(
        trunk=str(request.trunk or (own.trunk if own else DEFAULT_TRUNK)),
        weights=named_weights(weights),
        input_hw=(int(rows), int(columns)),
        features_dir=settings.features_dir,
        progress=progress,
    )


def _heat(
    folder: Path | None, samples: Sequence[TrainingSample], *, on_skipped: Skip, progress: StageProgress
) -> tuple[HeatReport | None, str]:
    """Return where a model's heat lies on cameras that it has not learnt from; or None, and why.

    folder: of the model's files, checked.
    """
    if folder is None:
        return None, "no model serves yet; `cli train` makes one"
    detector = make_detector(read_card(folder.parent, folder.name), folder)
    held_out = {camera for fold in detector.card.folds for camera in fold}
    held = sorted((sample for sample in samples if sample.camera in held_out), key=lambda sample: sample.sha256)
    found = see_heat(
        folder.name,
        detector,
        held[:_MOST_HEAT_MAPS],
        on_skipped=on_skipped,
        progress=of_stage(progress, "heat maps"),
    )
    return found, "" if found else f"no boxed image is known of cameras that model {folder.name} has not learnt from"


if __name__ == "__main__":
    serve_step(AUDIT_LEAKAGE, audit_leakage)
