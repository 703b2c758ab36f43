"""Groups images by camera: what a fixed camera's images share is their still background.

An image's signature is the fine structure of its thumbnail, freed from light: logarithm, band-pass, local contrast.
Images of one size are joined by average linkage, and the groups again by how alike they are *for their own spread*:
the mean similarity across two groups over the root of the mean similarities within them (Spearman's correction for
attenuation), which is near 1 for one camera however much people and fish hide, and near 0 for two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from worker.cameras.views import CameraView

Signatures = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

# Measured on the drawn fleet: two images of one camera correlate by 0.5 and more (19 of 20), of two cameras by 0.3
# and less (99 of 100).
LINK_CORRELATION = 0.35
# Groups of two drawn cameras of one size reach 0.43. Joining too much costs a fold, joining too little leaks: so low.
SAME_VIEW = 0.45
# A few images measure themselves badly: they join the view that they resemble twice as much as any other.
FEW = 8
FEW_SAME_VIEW, FEW_MARGIN = 0.3, 2.0
# The same view at two image sizes, such as a camera whose resolution was changed, must be plainer to be joined.
SAME_VIEW_OTHER_SIZE = 0.6
# Too little to be joined and too much to be told apart: such cameras stay on one side of every split. Real cameras were
# split by the limits above (8 found of 6), never joined.
MAYBE_SAME_VIEW = 0.3
ASPECT_TOLERANCE = 0.01
# Linkage needs every pair of images: 3,000 images are 36 MB of pairs; further ones are joined to what it found.
LINKED_AT_ONCE = 3_000
_PRIOR_CORRELATION, _PRIOR_IMAGES = 0.4, 2.0
_MIN_GROUPS_WITH_COMMON_PART = 6
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class FoundViews:
    """labels: a camera's number for every view, (N,), 0 for the camera with the most images. may_be: of some cameras,
    the larger one that they may be.
    """

    labels: Labels
    may_be: dict[int, int]


def cluster_views(views: Sequence[CameraView], *, seed: int = 0) -> Labels:
    """Return a camera's number for every view, (N,), 0 for the camera with the most images."""
    return find_views(views, seed=seed).labels


def find_views(views: Sequence[CameraView], *, seed: int = 0) -> FoundViews:
    """Return the cameras of views, and which of them may be one."""
    if not views:
        return FoundViews(np.zeros(0, dtype=np.int64), {})
    thumbnails = np.stack([view.thumbnail for view in views])
    sizes = [(view.width_px, view.height_px) for view in views]
    rng = np.random.default_rng(seed)
    common = _common_part(thumbnails, rng)
    labels = np.zeros(len(views), dtype=np.int64)
    for size in sorted(set(sizes)):
        rows = np.flatnonzero([own == size for own in sizes])
        labels[rows] = labels.max() + 1 + _cluster_one_size(thumbnails[rows], common, rng)
    groups = _Groups.of(thumbnails, _numbered(labels), sizes, common)
    rank = _by_count(groups.join())  # (K,)
    may_be = {int(rank[one]): int(rank[other]) for one, other in groups.may_be(rank).items()}
    return FoundViews(rank[groups.labels], may_be)


def signatures(thumbnails: npt.NDArray[np.uint8], common: Signatures | None = None) -> Signatures:
    """Return the signatures of thumbnails, (N, D), of length 1; common: what all cameras share, taken away. (D,)."""
    grey = np.log(thumbnails.astype(np.float32) + 10.0) * 40.0
    band = ndimage.gaussian_filter(grey, (0, 0.7, 0.7)) - ndimage.gaussian_filter(grey, (0, 3.0, 3.0))
    contrast = np.sqrt(np.maximum(ndimage.uniform_filter(band * band, (0, 9, 9)), 0.0))
    # 1: below a grey level or so there is noise only.
    rows = _unit(np.clip(band / (contrast + 1.0), -3.0, 3.0).reshape(len(band), -1))
    return rows if common is None else _unit(rows - common)


def adjusted_rand_index(first: Sequence[object], second: Sequence[object]) -> float:
    """Return how far two groupings of the same things agree: 1 for the same, about 0 for chance.

    Source: Hubert and Arabie 1985.

    >>> adjusted_rand_index("aabb", "xxyy"), round(adjusted_rand_index("aabb", "xyxy"), 3)
    (1.0, -0.5)
    """
    places = [np.unique(np.asarray(list(one), dtype=str), return_inverse=True)[1] for one in (first, second)]
    table = np.zeros((places[0].max() + 1, places[1].max() + 1))
    np.add.at(table, (places[0], places[1]), 1)
    both, rows, columns = (float((n * (n - 1) / 2).sum()) for n in (table, table.sum(axis=1), table.sum(axis=0)))
    expected = rows * columns / max(len(places[0]) * (len(places[0]) - 1) / 2, 1.0)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else float((both - expected) / (largest - expected))


def _unit(rows: npt.NDArray[np.float32]) -> Signatures:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-6), dtype=np.float32)


def _common_part(thumbnails: npt.NDArray[np.uint8], rng: np.random.Generator) -> Signatures | None:
    """Return what the views of all cameras share (a horizon, a clock in its corner), or None for too few views."""
    rows = rng.permutation(len(thumbnails))[:LINKED_AT_ONCE]
    found = signatures(thumbnails[rows])
    labels = _link(found)
    counts = np.bincount(labels)
    means = [_unit(found[labels == group].mean(axis=0)) for group in np.flatnonzero(counts >= 3)]
    return np.mean(means, axis=0, dtype=np.float32) if len(means) >= _MIN_GROUPS_WITH_COMMON_PART else None


def _cluster_one_size(thumbnails: npt.NDArray[np.uint8], common: Signatures | None, rng: np.random.Generator) -> Labels:
    """Link a part of the images, let the others join what they resemble, and go on with those that do not."""
    labels = np.full(len(thumbnails), -1, dtype=np.int64)
    while (waiting := np.flatnonzero(labels < 0)).size:
        rows = rng.permutation(waiting)[:LINKED_AT_ONCE]
        labels[rows] = labels.max() + 1 + _link(signatures(thumbnails[rows], common))
        held = np.flatnonzero(labels >= 0)
        means = _sums(thumbnails, labels, held, common) / np.bincount(labels[held])[:, None]
        for chunk in _chunks(np.flatnonzero(labels < 0)):
            alike = signatures(thumbnails[chunk], common) @ means.T  # (n, K)
            near = alike.max(axis=1) >= LINK_CORRELATION
            labels[chunk[near]] = alike.argmax(axis=1)[near]
    return labels


def _link(found: Signatures) -> Labels:
    if len(found) < 2:
        return np.zeros(len(found), dtype=np.int64)
    distance = np.clip(1.0 - found @ found.T, 0.0, 2.0)
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    return np.asarray(fcluster(tree, 1.0 - LINK_CORRELATION, "distance") - 1, dtype=np.int64)


def _sums(
    thumbnails: npt.NDArray[np.uint8], labels: Labels, rows: Labels, common: Signatures | None
) -> npt.NDArray[np.float64]:
    """Return the sum of each group's signatures, (K, D); in chunks, so that memory does not grow with the images."""
    total: npt.NDArray[np.float64] | None = None
    for chunk in _chunks(rows):
        found = signatures(thumbnails[chunk], common)
        if total is None:
            total = np.zeros((int(labels.max()) + 1, found.shape[1]))
        np.add.at(total, labels[chunk], found)
    assert total is not None
    return total


@dataclass
class _Groups:
    """Groups of images while they are joined. products: (K, K) sums of the similarities of all pairs of images."""

    labels: Labels
    counts: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]
    sizes: list[set[tuple[int, int]]]

    @classmethod
    def of(
        cls,
        thumbnails: npt.NDArray[np.uint8],
        labels: Labels,
        sizes: Sequence[tuple[int, int]],
        common: Signatures | None,
    ) -> _Groups:
        sums = _sums(thumbnails, labels, np.arange(len(labels)), common)
        held: list[set[tuple[int, int]]] = [set() for _ in range(len(sums))]
        for label, size in zip(labels, sizes, strict=True):
            held[label].add(size)
        return cls(labels, np.bincount(labels).astype(np.float64), sums @ sums.T, held)

    def join(self) -> Labels:
        """Join the two groups that are most alike until none are alike enough; return each image's group."""
        allowed = self._wanted_by_size()
        while len(self.counts) > 1:
            alike = self._alike()
            excess = np.where(self._enough(alike, allowed), alike, -1.0)
            one, other = np.unravel_index(int(excess.argmax()), excess.shape)
            if excess[one, other] < 0:
                break
            allowed = np.delete(np.delete(allowed, other, 0), other, 1)
            self._put_together(int(one), int(other))
        return self.labels

    def may_be(self, rank: Labels) -> dict[int, int]:
        """Return, of the groups left, which larger group a smaller one may belong to. rank: (K,), 0 the largest."""
        alike, found = self._alike(), {}
        by_size = np.argsort(rank)
        for place, group in enumerate(by_size.tolist()):
            larger = [one for one in by_size[:place].tolist() if one not in found and self._shapes_match(group, one)]
            best = max(larger, key=lambda one: alike[group, one], default=None)
            if best is not None and alike[group, best] >= MAYBE_SAME_VIEW:
                found[group] = best
        return found

    def _shapes_match(self, one: int, other: int) -> bool:
        ratios = [{width / height for width, height in self.sizes[group]} for group in (one, other)]
        return any(abs(a / b - 1.0) <= ASPECT_TOLERANCE for a in ratios[0] for b in ratios[1])

    def _alike(self) -> npt.NDArray[np.float64]:
        pairs = np.maximum(self.counts * (self.counts - 1.0), 1.0)
        within = (np.diag(self.products) - self.counts) / pairs
        weight = self.counts - 1.0
        within = (within * weight + _PRIOR_CORRELATION * _PRIOR_IMAGES) / (weight + _PRIOR_IMAGES)
        within = np.maximum(within, 0.02)
        alike = self.products / np.outer(self.counts, self.counts) / np.sqrt(np.outer(within, within))
        np.fill_diagonal(alike, -1.0)
        return np.asarray(alike)

    def _enough(self, alike: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        ranked = np.sort(alike, axis=1)
        second = ranked[:, -2] if len(alike) > 2 else np.zeros(len(alike))
        clear = (alike >= FEW_SAME_VIEW) & (alike >= FEW_MARGIN * np.maximum(second, 0.0)[:, None])
        few = (self.counts <= FEW)[:, None] & (wanted == SAME_VIEW)
        return np.asarray((alike >= wanted) | (few & clear))

    def _wanted_by_size(self) -> npt.NDArray[np.float64]:
        wanted = np.full((len(self.sizes), len(self.sizes)), SAME_VIEW)
        shapes = [next(iter(one)) for one in self.sizes]
        for row, (width, height) in enumerate(shapes):
            for column, (other_width, other_height) in enumerate(shapes):
                if self.sizes[row] != self.sizes[column]:
                    ratio = (width / height) / (other_width / other_height)
                    near = abs(ratio - 1.0) <= ASPECT_TOLERANCE
                    wanted[row, column] = SAME_VIEW_OTHER_SIZE if near else np.inf
        return wanted

    def _put_together(self, one: int, other: int) -> None:
        self.labels = np.where(self.labels == other, one, self.labels)
        self.labels = np.where(self.labels > other, self.labels - 1, self.labels)
        self.products[one] += self.products[other]
        self.products[:, one] += self.products[:, other]
        self.products = np.delete(np.delete(self.products, other, 0), other, 1)
        self.counts[one] += self.counts[other]
        self.counts = np.delete(self.counts, other)
        self.sizes[one] |= self.sizes.pop(other)


def _chunks(rows: Labels) -> list[Labels]:
    return [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]


def _numbered(labels: Labels) -> Labels:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _by_count(labels: Labels) -> Labels:
    """Return each group's rank by how many images it has, the most first; (K,)."""
    counts = np.bincount(labels)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank
