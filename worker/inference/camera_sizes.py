"""Lets the fish sizes of a batch's cameras be known before its images are shown to the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from sqlalchemy import Engine

from db.domain.cameras import side_of
from db.domain.jobs import Claim, ClaimedItem
from db.session import reading, transaction
from db.store.box_shifts import box_shifts
from db.store.fish_sizes import fish_sizes, keep_estimate
from db.store.job_cameras import some_items_of
from worker.inference.camera_size import IMAGES_A_CAMERA
from worker.inference.infer import Inference

# A camera on which no fish is seen in so many looks at some of its images is answered at the base input; each look
# costs as much as 78 images.
MOST_LOOKS = 3
T = TypeVar("T")


class Ask(Protocol):
    """Asks the database, however long it is away."""

    def __call__(self, ask: Callable[[], T]) -> T:
        """Return what it answered."""


class CameraSizes:
    """Estimates sizes that nobody told, and holds them."""

    def __init__(self, engine: Engine, *, persistently: Ask, check: Callable[[], None] = lambda: None) -> None:
        """check: called before each look at a camera; raises where the worker is to stop."""
        self._engine = engine
        self._persistently = persistently
        self._check = check
        self._looks: Counter[tuple[str, str]] = Counter()

    def with_sizes(self, held: Claim, inference: Inference) -> Claim:
        """Return a claim whose cameras' fish sizes are known, as far as images show them; estimates are held.

        Its cameras' boxes are shifted as corrections on them say.
        """
        shifts = self._persistently(lambda: self._shifts(inference.model_version))
        if shifts:
            shifted = [replace(item, box_shift=shifts.get(item.camera, 0.0)) for item in held.items]
            held = replace(held, items=tuple(shifted))
        unknown: dict[str, list[ClaimedItem]] = {}
        for item in held.items:
            if item.fish_px is None:
                unknown.setdefault(item.camera, []).append(item)
        if not unknown:
            return held
        told = self._estimates(held, unknown, inference)
        sizes = self._persistently(lambda: self._keep(told)) if told else {}
        items = [replace(item, fish_px=sizes.get(item.camera, item.fish_px)) for item in held.items]
        return replace(held, items=tuple(items))

    def _estimates(
        self, held: Claim, unknown: Mapping[str, Sequence[ClaimedItem]], inference: Inference
    ) -> dict[str, float]:
        known = self._persistently(self._known)
        told: dict[str, float] = {}
        for camera, items in unknown.items():
            # A camera that may be another one seen again shows its fish as large.
            fish_px = known.get(side_of(camera)) or self._estimate(held, camera, items, inference)
            if fish_px is not None:
                told[camera] = fish_px
        return told

    def _estimate(self, held: Claim, camera: str, items: Sequence[ClaimedItem], inference: Inference) -> float | None:
        looked = self._looks[inference.model_version, camera]
        if looked >= MOST_LOOKS:
            return None
        self._looks[inference.model_version, camera] += 1
        # A batch may hold few of a camera's images, or those of a quiet hour.
        spread = [] if looked else self._persistently(lambda: self._spread(held.batch_id, camera))
        return inference.estimate_fish_px(spread or items, held.root, check=self._check)

    def _spread(self, batch_id: int, camera: str) -> list[ClaimedItem]:
        with reading(self._engine) as session:
            return list(some_items_of(session, batch_id, camera, count=IMAGES_A_CAMERA))

    def _shifts(self, model_version: str) -> dict[str, float]:
        with reading(self._engine) as session:
            return box_shifts(session, model_version)

    def _known(self) -> dict[str, float]:
        with reading(self._engine) as session:
            return {camera: size.fish_px for camera, size in fish_sizes(session).items()}

    def _keep(self, fish_px: Mapping[str, float]) -> dict[str, float]:
        with transaction(self._engine) as session:
            return {camera: keep_estimate(session, camera, size) for camera, size in sorted(fish_px.items())}
