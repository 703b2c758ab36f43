"""Draws plans and figures as SVG: what each further hour buys, and every figure with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from annotator.catch.plan import Proposal
from db.domain.catch import CatchFigure, CatchSummary

_COLOURS = ("#0b6e8f", "#c2571a", "#7a4fa3", "#3d7d3a", "#a3384f", "#6b6b00", "#444444", "#007a7a")
_WIDTH_PX, _HEIGHT_PX = 720, 420
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 64, 150, 36, 48
_ROW_PX = 26
_LABEL_PX = 220
_MOST_ROWS = 200

Points = Sequence[tuple[float, float]]
_Scale = Callable[[float], float]


def draw_curve(proposal: Proposal) -> str:
    """Return the plot of a plan: the relative half-width of each total, and the miss rate, against hours."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in proposal.curve:
        hours = proposal.pace.hours(point.images)
        for name, total in point.totals.items():
            if total.value > 0.0:
                lines.setdefault(f"{name} ±", []).append((hours, min(total.half_width / total.value, 1.0)))
        lines.setdefault("missed, up to", []).append((hours, point.missed.high))
    chosen = proposal.pace.hours(proposal.design.images)
    title = f"Job {proposal.frame.job_id}: what further hours of review buy"
    return _line_chart(lines, title=title, x_label="hours", mark=chosen)


def draw_figures(summary: CatchSummary) -> str:
    """Return the plot of a summary: a row a figure, its interval, what the model alone says as a hollow dot."""
    shown = [one for one in summary.figures if one.estimate is not None][:_MOST_ROWS]
    most = max((one.estimate.high for one in shown if one.estimate is not None), default=1.0) or 1.0
    height = _TOP_PX + _ROW_PX * max(len(shown), 1) + _BOTTOM_PX
    span = _WIDTH_PX - _LABEL_PX - 40

    def x(value: float) -> float:
        return _LABEL_PX + span * value / most

    parts = [_text(12, 22, f"Job {summary.job_id}: fish by species, with 95 % intervals", bold=True)]
    for row, one in enumerate(shown):
        parts += _interval_row(one, _TOP_PX + _ROW_PX * (row + 0.5), x)
    if not shown:
        parts.append(_text(12, _TOP_PX + 16, "no figure can be had yet"))
    for tick in _ticks(most):
        parts.append(_text(x(tick), height - 24, f"{tick:g}", anchor="middle"))
    parts.append(_text(_LABEL_PX, height - 6, "dot: estimate; ring: the model alone"))
    return _svg(parts, height_px=height)


def _interval_row(one: CatchFigure, y: float, x: _Scale) -> list[str]:
    found = one.estimate
    assert found is not None
    return [
        _text(12, y + 4, " ".join((*one.group, one.figure))[:32]),
        f'<line x1="{x(found.low):.1f}" x2="{x(found.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_COLOURS[0]}" '
        'stroke-width="3"/>',
        f'<circle cx="{x(found.value):.1f}" cy="{y:.1f}" r="5" fill="{_COLOURS[0]}"/>',
        f'<circle cx="{min(x(one.model), _WIDTH_PX - 8):.1f}" cy="{y:.1f}" r="5" fill="none" stroke="{_COLOURS[1]}" '
        'stroke-width="2"/>',
    ]


def _line_chart(lines: dict[str, list[tuple[float, float]]], *, title: str, x_label: str, mark: float) -> str:
    hours = [hour for points in lines.values() for hour, _ in points]
    most = max(hours, default=1.0) or 1.0
    width, height = _WIDTH_PX - _LEFT_PX - _RIGHT_PX, _HEIGHT_PX - _TOP_PX - _BOTTOM_PX

    def at(hour: float, share: float) -> tuple[float, float]:
        return _LEFT_PX + width * hour / most, _TOP_PX + height * (1.0 - share)

    parts = [_text(12, 22, title, bold=True)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = at(0.0, share)[1]
        parts.append(f'<line x1="{_LEFT_PX}" x2="{_LEFT_PX + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(_text(_LEFT_PX - 8, y + 4, f"{share:.0%}", anchor="end"))
    for tick in _ticks(most):
        parts.append(_text(at(tick, 0.0)[0], _TOP_PX + height + 18, f"{tick:g}", anchor="middle"))
    parts.append(_text(_LEFT_PX + width / 2, _HEIGHT_PX - 8, x_label, anchor="middle"))
    x = at(mark, 0.0)[0]
    upright = f'x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP_PX}" y2="{_TOP_PX + height}"'
    parts.append(f'<line {upright} stroke="#888888" stroke-dasharray="4 4"/>')
    for number, (name, points) in enumerate(lines.items()):
        parts += _line(name, [at(*point) for point in points], _COLOURS[number % len(_COLOURS)], row=number)
    return _svg(parts, height_px=_HEIGHT_PX)


def _line(name: str, points: Points, colour: str, *, row: int) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    left, y = _WIDTH_PX - _RIGHT_PX + 14, _TOP_PX + 18 * row + 8
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        f'<line x1="{left}" x2="{left + 18}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
        _text(left + 24, y + 4, name),
    ]


def _ticks(most: float) -> list[float]:
    """Return about five round numbers from 0 to the largest value."""
    step = 10.0 ** math.floor(math.log10(most)) if most > 0.0 else 1.0
    step = next(size * step for size in (0.2, 0.5, 1.0, 2.0) if most / (size * step) <= 6.0)
    return [round(step * number, 10) for number in range(int(most / step) + 1)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _svg(parts: Sequence[str], *, height_px: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_PX}" height="{height_px:.0f}" '
        f'viewBox="0 0 {_WIDTH_PX} {height_px:.0f}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
