"""What the trunk sees in images before any model was trained: `python -m worker.steps.first_features`, a step.

The features are those that a training with the default settings learns from, and stay cached for it.
"""

from __future__ import annotations

from db.migrate import open_database
from db.progress import StageProgress, of_stage
from db.session import reading
from db.settings import get_settings
from db.store.images import places_of
from worker.models.names import DEFAULT_TRUNK, TRUNKS
from worker.models.trunks import named_weights
from worker.steps.left_out import told_of
from worker.steps.requests import FIRST_FEATURES, FeaturesRequest, FeaturesResult
from worker.steps.step_process import serve_step
from worker.training.features.compute import compute_features

_DIGITS = 4


def first_features(request: FeaturesRequest, progress: StageProgress) -> FeaturesResult:
    """Return the features of images (by content, of the store), each channel's mean over the image."""
    settings = get_settings()
    with reading(open_database(settings.database)) as session:
        places = list(places_of(session, set(request.sha256s)))
    computed = compute_features(
        places,
        trunk=DEFAULT_TRUNK,
        weights=named_weights(request.weights),
        input_hw=request.input_hw or TRUNKS[DEFAULT_TRUNK].input_hw,
        features_dir=settings.features_dir,
        progress=of_stage(progress, "features"),
    )
    held = [place.sha256 for place in places if place.sha256 in computed.features]
    means = dict(zip(held, computed.features.pooled(held), strict=True))  # (C,) each
    return FeaturesResult(
        features={sha256: tuple(round(float(value), _DIGITS) for value in mean) for sha256, mean in means.items()},
        unreadable=told_of(computed.unreadable),
    )


if __name__ == "__main__":
    serve_step(FIRST_FEATURES, first_features)
