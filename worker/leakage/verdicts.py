"""The verdicts of the leak audit: what is a leak, what is none, and what cannot be told. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.leakage import HeatReport, Interval, LeakVerdict, ShortcutCue, SplitGap
from worker.leakage.heat_outside import HeatSpread
from worker.training import metrics

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Share of what there is to know of the species. The competition's first and third place were 0.08 nats apart, which is
# a twentieth of what its species leave open: a cue that tells less decides nothing.
WORTH_THE_NAME = 0.05
# "No leak" is only said where a leak of this share, planted into the same images, is found.
PLANTED_SHARE = 0.10
CONFIDENCE = 0.95
DRAWS = 2_000
# A map whose fish are less than so many times as hot as the rest could not be drawn around a fish.
SEES_FISH = 3.0


@dataclass(frozen=True)
class CueAnswers:
    """What was said of images. species: (N,) the truth, places on the axis of species. said, guess: (N, S), by one
    with a cue and by one who knows nothing of an image. alike: (N,) a number that near-duplicates share."""

    species: Ints
    said: Floats
    guess: Floats
    alike: Ints


def evaluate_cue(name: str, answers: CueAnswers, *, control: Interval | None) -> ShortcutCue:
    """Return what a cue tells, and whether that is a leak. control: what it told of a planted one."""
    species, said, guess, told = answers.species, answers.said, answers.guess, evaluate_told(answers)
    return ShortcutCue(
        name=name,
        images=len(species),
        accuracy=metrics.accuracy(species, said),
        balanced_accuracy=metrics.balanced_accuracy(species, said),
        majority_accuracy=metrics.accuracy(species, guess),
        majority_balanced=metrics.balanced_accuracy(species, guess),
        told=told,
        control=control,
        verdict=verdict_of(told, control),
    )


def evaluate_told(answers: CueAnswers) -> Interval:
    """Return the share of what there is to know of the species that was told; near-duplicates are drawn together.

    Source: the share of the guess's log loss that is saved is a lower bound of the mutual information over the
    species' entropy: what can be used of it (Xu et al. 2020, "A theory of usable information", section 3).
    """
    before = metrics.losses(answers.species, answers.guess)
    return _interval(before - metrics.losses(answers.species, answers.said), answers.alike, over=before)


def verdict_of(told: Interval, control: Interval | None) -> LeakVerdict:
    """Return the verdict on a share that is told, and on that of a planted leak.

    It is a leak where it is worth the name and surely more than nothing. It is none where it surely is less than that,
    and the planted one was found; what lies between cannot be told from so few images.

    >>> planted = Interval(0.09, 0.06, 0.12)
    >>> [str(verdict_of(Interval(*told), planted)) for told in ((0.2, 0.1, 0.3), (0.0, -0.01, 0.01), (0.04, -0.1, 0.2))]
    ['leak', 'no leak', 'undecided']
    """
    if told.low > 0.0 and told.value >= WORTH_THE_NAME:
        return LeakVerdict.LEAK
    able = control is None or control.low > 0.0
    return LeakVerdict.NONE if able and told.high < WORTH_THE_NAME else LeakVerdict.UNDECIDED


def verdict_of_all(cues: Sequence[ShortcutCue]) -> LeakVerdict:
    """Return the verdict on a fleet: a leak where one cue leaks, none where every cue surely tells nothing."""
    found = {cue.verdict for cue in cues}
    if LeakVerdict.LEAK in found:
        return LeakVerdict.LEAK
    return LeakVerdict.UNDECIDED if LeakVerdict.UNDECIDED in found else LeakVerdict.NONE


def decide_gap(species: npt.ArrayLike, known: npt.ArrayLike, unseen: npt.ArrayLike, cameras: Sequence[str]) -> SplitGap:
    """Return the gap between two splits on the same images; whole cameras are drawn with replacement.

    known, unseen: (N, S), what was said by one who had seen the image's camera, and by one who had not.
    """
    truth = np.asarray(species, dtype=np.int64)
    right = [(np.argmax(said, axis=1) == truth).astype(np.float64) for said in (known, unseen)]
    losses = [metrics.losses(truth, said) for said in (known, unseen)]
    return SplitGap(
        known_accuracy=float(right[0].mean()),
        unseen_accuracy=float(right[1].mean()),
        known_log_loss=float(losses[0].mean()),
        unseen_log_loss=float(losses[1].mean()),
        accuracy_gap=_interval(right[0] - right[1], cameras),
        loss_gap=_interval(losses[1] - losses[0], cameras),
    )


def evaluate_heat(model: str, spreads: Sequence[HeatSpread], cameras: Sequence[str]) -> HeatReport:
    """Return where a model's heat lies, over images with labelled fish. cameras: one name an image."""
    outside = np.array([spread.outside for spread in spreads])
    even = float(np.mean([spread.even for spread in spreads]))
    return HeatReport(model, len(spreads), len(set(cameras)), _interval(outside, cameras), even)


def sentence(cues: Sequence[ShortcutCue], *, majority: str, gap: SplitGap, heat: HeatReport | None) -> str:
    """Return what it comes to, for those who decide and never saw a log loss. majority: the most common species."""
    verdict = verdict_of_all(cues)
    parts = [_LEADS[verdict](cues, majority), _gap_sentence(verdict, gap)]
    if heat is not None:
        parts.append(_heat_sentence(heat))
    return " ".join(parts)


def _leak_lead(cues: Sequence[ShortcutCue], majority: str) -> str:
    worst = max((cue for cue in cues if cue.verdict is LeakVerdict.LEAK), key=lambda cue: cue.told.value)
    return (
        f"LEAK: without a look at the fish, {worst.name} alone names the right species of {worst.accuracy:.0%} of the "
        f"images, where always saying {majority} would be right for {worst.majority_accuracy:.0%}."
    )


def _no_leak_lead(cues: Sequence[ShortcutCue], majority: str) -> str:
    return (
        f"NO LEAK: without a look at the fish, nothing names the species better than always saying {majority} "
        f"(right for {cues[0].majority_accuracy:.0%}); what a model gets right here it has from the fish."
    )


def _undecided_lead(cues: Sequence[ShortcutCue], majority: str) -> str:
    open_cues = " and ".join(cue.name for cue in cues if cue.verdict is LeakVerdict.UNDECIDED)
    return (
        f"UNDECIDED: {cues[0].images} images are too few to tell whether {open_cues} "
        "gives the species away; label more."
    )


_LEADS = {LeakVerdict.LEAK: _leak_lead, LeakVerdict.NONE: _no_leak_lead, LeakVerdict.UNDECIDED: _undecided_lead}


def _gap_sentence(verdict: LeakVerdict, gap: SplitGap) -> str:
    known, unseen = f"{gap.known_accuracy:.0%}", f"{gap.unseen_accuracy:.0%}"
    if gap.accuracy_gap.low > 0.0:
        why = "" if verdict is LeakVerdict.LEAK else ", because they look different"
        return (
            f"Evaluated on cameras it knows a simple network is right for {known}, on unseen ones for {unseen}{why}: "
            "believe figures of unseen cameras only."
        )
    return f"On unseen cameras a simple network does as well as on those it knows ({unseen}, {known})."


def _heat_sentence(heat: HeatReport) -> str:
    shares = f"of its heat {heat.outside.value:.0%} lies beside the fish, as does {heat.even:.0%} of the image"
    if heat.contrast < SEES_FISH:
        return f"The serving model's heat map hardly tells fish from deck ({shares}): it wants more labelled images."
    times = f"{heat.contrast:.0f} times"
    return f"The serving model looks at the fish: a spot on one is {times} as hot as elsewhere ({shares})."


def _interval(values: Floats, groups: npt.ArrayLike, *, over: Floats | None = None) -> Interval:
    """Return the mean of values, or their sum over that of others; whole groups are drawn with replacement."""
    bottom = np.ones(len(values)) if over is None else over
    _names, places = np.unique(np.asarray(groups), return_inverse=True)
    tops, bottoms = np.bincount(places, weights=values), np.bincount(places, weights=bottom)
    rng = np.random.default_rng(0)
    times = [np.bincount(rng.integers(0, len(tops), size=len(tops)), minlength=len(tops)) for _ in range(DRAWS)]
    draws = [float(drawn @ tops / (drawn @ bottoms)) for drawn in times]
    low, high = np.quantile(draws, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return Interval(float(values.sum() / bottom.sum()), float(low), float(high))
