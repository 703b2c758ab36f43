"""Figures of the NCFM training set (counts and quantiles, no images): which camera sees what, and how large."""

from __future__ import annotations

from dataclasses import dataclass

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class CameraStatistics:
    """One camera's image size and how many images of each species it has."""

    size_px: tuple[int, int]
    species: dict[str, int]


@dataclass(frozen=True)
class FishStatistics:
    """Quantiles (5, 25, 50, 75, 95 %) of box centres and lengths, shares of the image; counts of 1, 2, ... fish."""

    centre_x: tuple[float, ...]
    centre_y: tuple[float, ...]
    length: tuple[float, ...]
    fish_per_image: tuple[int, ...]


# Some cameras see everything, some one species only: those leak the species through the boat's look.
CAMERAS = (
    CameraStatistics((1280, 720), dict(ALB=281, YFT=209, OTHER=114, SHARK=97, NoF=84, DOL=39, BET=25, LAG=4)),
    CameraStatistics((1280, 720), dict(ALB=456, OTHER=85, NoF=79, YFT=63, BET=52, LAG=35, SHARK=1)),
    CameraStatistics((1280, 720), dict(ALB=312, OTHER=81, YFT=59, LAG=28, NoF=28, BET=12, DOL=8)),
    CameraStatistics((1280, 974), dict(YFT=167, DOL=28, BET=15, ALB=11, OTHER=9)),
    CameraStatistics((1280, 750), dict(YFT=83, DOL=23, NoF=17, OTHER=10, ALB=3, BET=2)),
    CameraStatistics((1280, 750), dict(ALB=113)),
    CameraStatistics((1280, 750), dict(ALB=59, YFT=41)),
    CameraStatistics((1276, 718), dict(NoF=88, YFT=4, BET=1)),
    CameraStatistics((1280, 750), dict(NoF=29, SHARK=27, ALB=21, YFT=14)),
    CameraStatistics((1276, 718), dict(ALB=80, YFT=4, NoF=4)),
    CameraStatistics((1280, 974), dict(SHARK=45, BET=21, ALB=9, YFT=3)),
    CameraStatistics((1192, 670), dict(ALB=73, NoF=1)),
    CameraStatistics((1280, 750), dict(NoF=42, ALB=31)),
    CameraStatistics((1280, 974), dict(BET=35, ALB=15, YFT=12, SHARK=1)),
    CameraStatistics((1280, 750), dict(ALB=39, YFT=11, NoF=4, BET=2)),
    CameraStatistics((1192, 670), dict(ALB=34, NoF=15, YFT=2)),
    CameraStatistics((1280, 924), dict(ALB=33, YFT=18)),
    CameraStatistics((1276, 718), dict(ALB=29, YFT=6, NoF=3)),
    CameraStatistics((1518, 854), dict(BET=17, NoF=12, ALB=6, YFT=2)),
    CameraStatistics((1732, 974), dict(NoF=33, DOL=3)),
    CameraStatistics((1192, 670), dict(ALB=33, NoF=3)),
    CameraStatistics((1244, 700), dict(BET=5, YFT=5, NoF=4, ALB=2)),
)

FISH = {
    "ALB": FishStatistics(
        (0.12, 0.34, 0.48, 0.62, 0.79),
        (0.16, 0.30, 0.47, 0.62, 0.81),
        (0.07, 0.11, 0.16, 0.24, 0.31),
        (1209, 313, 117, 70),
    ),
    "BET": FishStatistics(
        (0.09, 0.26, 0.45, 0.60, 0.73), (0.20, 0.28, 0.37, 0.58, 0.67), (0.09, 0.15, 0.21, 0.28, 0.33), (144, 40, 15)
    ),
    "DOL": FishStatistics(
        (0.23, 0.31, 0.38, 0.44, 0.59), (0.43, 0.51, 0.62, 0.64, 0.86), (0.09, 0.17, 0.20, 0.25, 0.42), (112, 3)
    ),
    "LAG": FishStatistics(
        (0.57, 0.60, 0.65, 0.72, 0.78), (0.40, 0.45, 0.52, 0.61, 0.84), (0.10, 0.15, 0.24, 0.31, 0.36), (33, 34)
    ),
    "OTHER": FishStatistics(
        (0.12, 0.38, 0.54, 0.64, 0.75), (0.28, 0.49, 0.59, 0.62, 0.80), (0.07, 0.10, 0.14, 0.23, 0.38), (210, 88)
    ),
    "SHARK": FishStatistics(
        (0.12, 0.27, 0.43, 0.46, 0.53), (0.37, 0.59, 0.66, 0.71, 0.84), (0.08, 0.12, 0.18, 0.38, 0.49), (154, 21)
    ),
    "YFT": FishStatistics(
        (0.14, 0.28, 0.39, 0.58, 0.70), (0.17, 0.47, 0.57, 0.63, 0.79), (0.09, 0.16, 0.21, 0.29, 0.38), (649, 76, 6)
    ),
}
