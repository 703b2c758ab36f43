"""Every colour that pages write words in can be read on every ground, light and dark: 4.5 to 1 (WCAG 2.2, 1.4.3)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
INKS = ("ink", "quiet", "accent", "flagged", "agreed")
GROUNDS = ("ground", "panel")
_COLOUR = re.compile(r"--(\w+): (#[0-9a-f]{6});")
_SHADE = re.compile(r"\.shade-\d \{ background: color-mix\(in srgb, var\(--shade\) (\d+)%, transparent\)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_a_report_can_be_read(scheme: str) -> None:
    colours = colours_of(ROOT / "worker" / "report" / "templates" / "report.css", scheme)

    poor = {
        f"{ink} on {ground}": round(contrast(colours[ink], colours[ground]), 2)
        for ink in INKS
        for ground in GROUNDS
        if contrast(colours[ink], colours[ground]) < 4.5
    }

    assert poor == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_on_shaded_cells_can_be_read(scheme: str) -> None:
    sheet = ROOT / "worker" / "report" / "templates" / "report.css"
    colours = colours_of(sheet, scheme)
    shares = [int(share) / 100 for share in _SHADE.findall(sheet.read_text(encoding="utf-8"))]

    found = [contrast(colours["ink"], mixed(colours["shade"], colours["panel"], share)) for share in shares]

    assert len(found) == 9 and min(found) >= 4.5, found


def test_contrast_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the known grey that just fails


def colours_of(sheet: Path, scheme: str) -> dict[str, str]:
    """Return a sheet's colours by their names, those of the dark scheme over the light ones."""
    light, dark = sheet.read_text(encoding="utf-8").split("@media (prefers-color-scheme: dark)", 1)
    named = dict(_COLOUR.findall(light))
    return {**named, **dict(_COLOUR.findall(dark.split("* {", 1)[0]))} if scheme == "dark" else named


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def mixed(upper: str, lower: str, share: float) -> str:
    """Return a colour laid over another; share: how opaque the upper one is, 0 to 1."""
    pairs = [(int(upper[place : place + 2], 16), int(lower[place : place + 2], 16)) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(over * share + under * (1 - share)):02x}" for over, under in pairs)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 to 1."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
