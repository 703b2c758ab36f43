"""The species of an animal from all its sightings, and the two simple ways that it is measured against."""

from __future__ import annotations

from collections import Counter

import numpy as np

from worker.events.sightings import Floats, Track

# Sightings of one animal repeat each other's mistakes: a hundred are worth no more than so many independent ones.
WORTH_AT_MOST = 5.0


def fused_species(track: Track, *, log_prior: Floats | None = None) -> Floats:
    """Return the species probabilities of an animal by all its sightings, (S,).

    The product of the sightings' probabilities, each weighted by its confidence, all together worth at most
    `WORTH_AT_MOST`. log_prior: of the species, (S,); each sighting holds it already, so it is counted once.
    """
    weights = np.array([max(sighting.confidence, 1e-3) for sighting in track.sightings])  # (N,)
    logs = np.log(np.clip([sighting.species for sighting in track.sightings], 1e-3, 1.0))  # (N, S)
    prior = np.zeros(logs.shape[1]) if log_prior is None else log_prior
    worth = min(float(len(weights)), WORTH_AT_MOST)
    evidence = worth * (weights[:, None] * (logs - prior)).sum(axis=0) / weights.sum() + prior  # (S,)
    return softmax(evidence)


def best_image_species(track: Track) -> Floats:
    """Return the species probabilities of the surest sighting, (S,)."""
    return np.asarray(best_sighting_species(track), dtype=np.float64)


def best_sighting_species(track: Track) -> tuple[float, ...]:
    """Return what the sighting with the largest probability of any species says."""
    return max(track.sightings, key=lambda sighting: max(sighting.species)).species


def majority_species(track: Track) -> int:
    """Return the species that most sightings name; of those alike, the first in the label set."""
    votes = Counter(int(np.argmax(sighting.species)) for sighting in track.sightings)
    return min(votes, key=lambda species: (-votes[species], species))


def softmax(logits: Floats) -> Floats:
    """Return probabilities.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    powers = np.exp(logits - logits.max())
    shares: Floats = powers / powers.sum()
    return shares
