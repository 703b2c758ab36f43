"""What an evaluation found: the figures of each compared model, and of which folds they are."""

from __future__ import annotations

from dataclasses import dataclass

Figures = dict[str, float]
"""Figures by name: shares and overlaps 0..1, losses in nats; what cannot be told is left out."""


@dataclass(frozen=True)
class Reliability:
    """How often answers of about one confidence are right, a step each: as they were said, and calibrated."""

    as_said: list[Figures]
    calibrated: list[Figures]


@dataclass(frozen=True)
class PartCalibration:
    """What one part's answers were calibrated with, fitted on the other parts."""

    temperature: float
    floor: float


@dataclass(frozen=True)
class ComparedFigures:
    """The figures of one compared model.

    mean, spread: over folds; spread is the standard deviation, empty of one fold. folds: each one's. confusion: (S, S),
    true species by row. calibration: by part. seconds: that it took.
    """

    name: str
    mean: Figures
    spread: Figures
    folds: list[Figures]
    by_species: dict[str, Figures]
    by_camera: dict[str, Figures]
    confusion: list[list[int]]
    reliability: Reliability
    calibration: list[PartCalibration]
    seconds: float


@dataclass(frozen=True)
class FoldVerdict:
    """What a fold's model said against itself. no_second_stage: why it has none, '' where it has or none was asked."""

    blind: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    no_second_stage: str = ""


@dataclass(frozen=True)
class FoldFacts:
    """What a fold is made of. learn, evaluate, left_out: images; left out are near-duplicates of evaluated ones.

    cameras: that are evaluated. blind, cautions, no_second_stage: the fold's model's verdict, where it is a whole one.
    """

    learn: int
    evaluate: int
    left_out: int
    cameras: tuple[str, ...]
    species_not_learnt: tuple[str, ...]
    blind: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    no_second_stage: str = ""
