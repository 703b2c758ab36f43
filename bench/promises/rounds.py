"""The loop asks less and less: how many images a plan takes for the same promise after each retraining.

`python -m bench.promises.rounds` draws docs/rounds.png; a minute, no images, no networks. A fleet of 30 cameras has
fish that are points in a space of features: a centre a species, a shift a camera, noise. The model is a softmax on the
features, fitted on what people have answered so far: 60 labels first, then the images of each round's plan for ALB,
and on nothing else; the plans for the other species are drawn and reviewed to see what they take, and teach nothing.
Its error probability is its own, with a temperature fitted on the answers of the plan before, first by folds of the
labels. Beside it stands the same fleet whose model is never trained again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from annotator.estimates.figures import Sample, catch_figures
from annotator.estimates.weighted_sums import Floats
from annotator.plans.draw import Codes
from annotator.plans.expected import Aims, Answers, confusion_from, scores_for
from annotator.plans.forecast import drawn_for_total
from annotator.plans.make import make_plan
from bench.promises.seasons import COMMON, NAMES, NO_FISH
from db.domain.plans import FLOOR_SHARE, PlanDesign, Target

ROUNDS, FLEETS = 5, 8
TARGETS = (Target("ALB", 0.1), Target("YFT", 0.15), Target("BET", 0.3))
_CAMERAS, _IMAGES, _FEATURES, _FIRST_LABELS = 30, 4_000, 64, 60
_SPREAD, _CAMERA_SHIFT, _PULL = 0.4, 0.3, 1.0
_FOLDS = 5
_COLOURS = ("#0b6e8f", "#7a4fa3", "#c2571a")


@dataclass(frozen=True)
class Fleet:
    """What a season is drawn from. centres: (S, F) of the species. shifts: (C, F) of the cameras. shares: (C, S)."""

    centres: Floats
    shifts: Floats
    shares: Floats


@dataclass(frozen=True)
class Labelled:
    """Images with their truth. features: (N, F). species, camera: (N,)."""

    features: Floats
    species: Codes
    camera: Codes

    def only(self, places: Codes) -> Labelled:
        """Return some of them."""
        return Labelled(self.features[places], self.species[places], self.camera[places])

    def with_more(self, more: Labelled) -> Labelled:
        """Return both together."""
        pairs = ((self.features, more.features), (self.species, more.species), (self.camera, more.camera))
        return Labelled(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True)
class Round:
    """What one round takes. images, width: by target, of its plan, and as its review found. wrong: share of answers."""

    images: dict[str, int]
    wrong: float
    width: dict[str, float]


def main() -> None:
    """Print the table and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleets", type=int, default=FLEETS)
    parser.add_argument("--out", type=Path, default=Path("docs/rounds.png"), help="the plot")
    asked = parser.parse_args()
    learning = [play(seed, retrain=True) for seed in range(asked.fleets)]
    still = [play(seed, retrain=False) for seed in range(asked.fleets)]
    heads = [f"{target}: images" for target in TARGETS]
    print(f"| round | answers wrong | {' | '.join(heads)} | widths found | never retrained: images |")
    print(f"|---|{'---|' * (len(heads) + 3)}")
    for number in range(ROUNDS):
        row = [f"{_mean(learning, number, target):.0f}" for target in TARGETS]
        widths = ", ".join(f"{np.mean([one[number].width[str(target)] for one in learning]):.1%}" for target in TARGETS)
        wrong = np.mean([one[number].wrong for one in learning])
        kept = ", ".join(f"{_mean(still, number, target):.0f}" for target in TARGETS)
        print(f"| {number + 1} | {wrong:.1%} | {' | '.join(row)} | {widths} | {kept} |")
    _plot(learning, still, asked.out)


def play(seed: int, *, retrain: bool) -> list[Round]:
    """Return the rounds of one fleet: plan, review, and with retrain a model that learns from the answers."""
    rng = np.random.default_rng([21, seed])
    fleet = _fleet(rng)
    held = _season(fleet, _FIRST_LABELS, rng)
    weights, temperature, counts = fit(held), _first_temperature(held), np.zeros((len(NAMES), len(NAMES)))
    rounds = []
    for number in range(ROUNDS):
        season = _season(fleet, _IMAGES, rng)
        answers, logits = _answers(weights, season, temperature)
        plans = {str(target): _planned(answers, counts, target, seed=number) for target in TARGETS}
        reviewed = plans[str(TARGETS[0])][0]
        widths = {name: _width(answers, season, *plan, figure=name.split(":")[0]) for name, plan in plans.items()}
        images = {name: len(places) for name, (places, _) in plans.items()}
        rounds.append(Round(images, float((answers.species != season.species).mean()), widths))
        np.add.at(counts, (answers.species[reviewed], season.species[reviewed]), 1.0)
        temperature = _temperature(logits[reviewed], season.species[reviewed])
        if retrain:
            held = held.with_more(season.only(reviewed))
            weights = fit(held)
    return rounds


def fit(held: Labelled) -> Floats:
    """Return the weights of a softmax on features and a constant, pulled towards 0; (F + 1, S)."""
    rows, size = _with_constant(held.features), len(NAMES)
    wanted = np.eye(size)[held.species]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(-1, size)
        logits = rows @ weights
        shares = _softmax(logits)
        total = -np.log(np.clip((shares * wanted).sum(axis=1), 1e-12, 1.0)).sum() + 0.5 * _PULL * (weights**2).sum()
        return float(total), (rows.T @ (shares - wanted) + _PULL * weights).ravel()

    start = np.zeros(rows.shape[1] * size)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 80}).x.reshape(-1, size))


def _fleet(rng: np.random.Generator) -> Fleet:
    shares = rng.dirichlet(6.0 * COMMON, _CAMERAS)
    centres = rng.normal(0.0, _SPREAD, (len(NAMES), _FEATURES))
    return Fleet(centres, rng.normal(0.0, _CAMERA_SHIFT, (_CAMERAS, _FEATURES)), shares)


def _season(fleet: Fleet, images: int, rng: np.random.Generator) -> Labelled:
    camera = rng.integers(0, _CAMERAS, images)
    ends = np.cumsum(fleet.shares[camera], axis=1)
    species = np.minimum((rng.random((images, 1)) > ends).sum(axis=1), len(NAMES) - 1)
    noise = rng.normal(0.0, 1.0, (images, _FEATURES))
    return Labelled(fleet.centres[species] + fleet.shifts[camera] + noise, species, camera)


def _answers(weights: Floats, season: Labelled, temperature: float) -> tuple[Answers, Floats]:
    logits = _with_constant(season.features) @ weights
    species = logits.argmax(axis=1)
    fish = np.where(species == NO_FISH, 0.0, 1.0)
    error = 1.0 - _softmax(logits / temperature).max(axis=1)
    day = np.zeros(len(species), dtype=np.int64)
    return Answers(NAMES, species, fish, error, season.camera, day), logits


def _planned(answers: Answers, counts: Floats, target: Target, *, seed: int) -> tuple[Codes, Floats]:
    """Return the places and the probabilities of a plan for one target."""
    named = np.bincount(answers.species, minlength=len(NAMES)).astype(np.float64)
    confusion = confusion_from(NAMES, named, counts * (1.0 - np.eye(len(NAMES))))
    scores = scores_for(answers, confusion, Aims((target.figure,), missed=False))
    size = drawn_for_total(answers, confusion, scores, target, floor_share=FLOOR_SHARE, most=len(answers))
    design = PlanDesign(seed, 0, len(answers) if size is None else size)
    chosen = make_plan(answers.error_probability, scores, answers.camera, design)
    return chosen.places, chosen.probability


def _width(answers: Answers, season: Labelled, places: Codes, probability: Floats, *, figure: str) -> float:
    """Return the half-width of the interval that the review of a plan finds, as a share of the estimate."""
    truth = np.eye(len(NAMES))[season.species]
    truth[:, NO_FISH] = 0.0
    nothing = np.zeros(0, dtype=np.int64)
    wrong = (answers.species != season.species)[places].astype(np.float64)
    sample = Sample(
        names=NAMES,
        species=answers.species,
        fish=answers.fish,
        known=nothing,
        known_truth=truth[nothing],
        reviewed=places,
        reviewed_truth=truth[places],
        wrong=wrong,
        probability=probability,
    )
    [found] = catch_figures(sample, (figure,), np.zeros(len(answers), dtype=np.int64))
    assert found.estimate is not None
    return found.estimate.half_width / max(found.estimate.value, 1.0)


def _temperature(logits: Floats, species: Codes) -> float:
    def loss(log_temperature: float) -> float:
        shares = _softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.clip(shares[np.arange(len(species)), species], 1e-12, 1.0)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))


def _first_temperature(held: Labelled) -> float:
    """Return the temperature by folds of the first labels: there is no review yet."""
    fold = np.arange(len(held.species)) % _FOLDS
    logits = np.zeros((len(fold), len(NAMES)))
    for one in range(_FOLDS):
        weights = fit(held.only(np.flatnonzero(fold != one)))
        logits[fold == one] = _with_constant(held.features[fold == one]) @ weights
    return _temperature(logits, held.species)


def _with_constant(features: Floats) -> Floats:
    return np.hstack([features, np.ones((len(features), 1))])


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _mean(played: list[list[Round]], number: int, target: Target) -> float:
    return float(np.mean([one[number].images[str(target)] for one in played]))


def _plot(learning: list[list[Round]], still: list[list[Round]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    numbers = range(1, ROUNDS + 1)
    for target, colour in zip(TARGETS, _COLOURS, strict=True):
        for played, style, told in ((learning, "o-", ""), (still, "x:", ", never retrained")):
            images = [_mean(played, number - 1, target) for number in numbers]
            axis.plot(numbers, images, style, color=colour, label=f"{target}{told}")
    axis.set(xlabel="round: plan, review, retrain", ylabel="images that the plan takes", xticks=list(numbers))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
