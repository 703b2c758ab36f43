"""The report's page of catch figures: a line a figure, its interval drawn, and what the figures stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.domain.catch import CatchFigure, CatchSummary

# A page with more lines is for a spreadsheet (`cli summary --csv`).
MOST_LINES = 500


@dataclass(frozen=True)
class CatchLine:
    """One figure as it is shown. left, width, middle: of its interval in the drawing, 0..1 of the largest end."""

    group: tuple[str, ...]
    figure: str
    images: int
    decided: int
    reviewed: int
    model: str
    said: str
    had: bool
    value: str = ""
    low: str = ""
    high: str = ""
    left: float = 0.0
    width: float = 0.0
    middle: float = 0.0


@dataclass(frozen=True)
class CatchPart:
    """One table of the page. heads: the names of the groups' columns."""

    title: str
    heads: tuple[str, ...]
    lines: tuple[CatchLine, ...]
    summary: CatchSummary

    @property
    def had(self) -> bool:
        """Whether any line has an estimate."""
        return any(line.had for line in self.lines)


def parts_of(summaries: Sequence[CatchSummary]) -> list[CatchPart]:
    """Return the page's tables, one a summary; in groups only species that somebody named there."""
    return [_part(summary) for summary in summaries]


def missed_text(summary: CatchSummary) -> str:
    """Return the share of wrong answers among the images nobody looked at, '' where it cannot be had."""
    share = summary.missed[0].share if summary.missed else None
    return "" if share is None else f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%})"


def contributions_of(summary: CatchSummary) -> list[tuple[str, str]]:
    """Return for each species the cameras that its interval comes from, the largest share first."""
    return [
        (name, ", ".join(f"{camera} {share:.0%}" for camera, share in cameras))
        for name, cameras in summary.contributions.items()
        if cameras
    ]


def _part(summary: CatchSummary) -> CatchPart:
    named = (one for one in summary.figures if not summary.by or one.model or one.said)
    shown = sorted(named, key=lambda one: one.group)[:MOST_LINES]  # within a group species stay in their order
    most = max((one.estimate.high for one in shown if one.estimate is not None), default=0.0)
    heads = tuple(map(str, summary.by))
    title = f"By {' and '.join(heads)}" if heads else "The whole job"
    return CatchPart(title, heads, tuple(_line(one, most) for one in shown), summary)


def _line(one: CatchFigure, most: float) -> CatchLine:
    counts = (one.group, one.figure, one.images, one.decided, one.reviewed, f"{one.model:,.0f}", f"{one.said:,.0f}")
    found = one.estimate
    if found is None:
        return CatchLine(*counts, had=False)
    scale = 1.0 / most if most > 0.0 else 0.0
    return CatchLine(
        *counts,
        had=True,
        value=f"{found.value:,.0f}",
        low=f"{found.low:,.0f}",
        high=f"{found.high:,.0f}",
        left=found.low * scale,
        width=max((found.high - found.low) * scale, 0.004),
        middle=found.value * scale,
    )
