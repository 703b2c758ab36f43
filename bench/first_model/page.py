"""The page of what a first model is worth, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.first_model.ways import ESTIMATED, LESSON, NO_STILL_HEAT, THREE_BOXES, UNKNOWN

_COLUMNS = (
    ("AP50", "fish_ap50"),
    ("recall in 1 box", "fish_recall_in_1"),
    ("in 3", "fish_recall_in_3"),
    ("pointing", "fish_pointing"),
    ("boxes an image", "boxes_an_image"),
    ("calibration error", "box_calibration_error"),
    ("training, s", "seconds"),
    ("processor s", "processor_s"),
)
_NAMES = {
    LESSON: "the lesson's detector (`cli train --detector lesson`), which served before",
    UNKNOWN: "the centre detector, fish size of the new cameras not known",
    ESTIMATED: "the same, size estimated from ten of their images",
    THREE_BOXES: "the same, three boxes drawn on each",
    NO_STILL_HEAT: "the same, each camera's median heat taken away (not served)",
}


def page_text(draws: Sequence[dict[str, dict[str, float]]], *, labels: int, cameras: int, command: str) -> str:
    """Return the page. draws: figures by way and name, one dictionary a draw."""
    lines = [
        "# A first model",
        "",
        f"What a first user gets: learnt from {labels} labelled images of {cameras} cameras, judged on {labels} images",
        f"of {cameras} other ones; {_draws(len(draws))} (`{command}`). The fleets are drawn, with what misleads at",
        "sea: burned-in text, foam, crates, poles, winches, crew in bright gear, veiled and dark cameras, fish whose",
        "size differs between cameras by a factor of four, frames a moment apart. They say which way is better, not",
        "how well it works on a real deck. There the lesson's detector had an AP50 of 0.005.",
        "",
        "Mean over the draws, in brackets the lowest and the highest where there are several. Seconds are of the whole",
        "training, with whatever else the machine did; processor seconds are its own.",
        "",
        "| | " + " | ".join(title for title, _ in _COLUMNS) + " |",
        "|---|" + "---:|" * len(_COLUMNS),
    ]
    lines += [
        f"| {_NAMES[way]} | " + " | ".join(_cell(draws, way, name) for _, name in _COLUMNS) + " |" for way in _NAMES
    ]
    lines += [
        "",
        "![Unseen cameras: labelled fish red, the three surest boxes yellow with their scores](first-model.jpg)",
        "",
    ]
    return "\n".join(lines)


def _cell(draws: Sequence[dict[str, dict[str, float]]], way: str, name: str) -> str:
    values = np.array([draw[way][name] for draw in draws])
    digits = 0 if name in ("seconds", "processor_s") else 1 if name == "boxes_an_image" else 3
    spread = f" ({values.min():.{digits}f}-{values.max():.{digits}f})" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


def _draws(count: int) -> str:
    return "one draw" if count == 1 else f"{count} draws, each of cameras of its own"
