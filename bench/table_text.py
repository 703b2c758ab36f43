"""The results table as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One head, average or baseline on one split. iou: of the largest fish; fish_ap50: of every fish, 0..1.

    heat: share of the heat map beside the fish, 0..1, as `cli audit leakage` measures it.

    seconds: what its training took; processor_s: of all cores, whatever else the machine did meanwhile.
    """

    title: str
    split: str
    accuracy: float
    balanced_accuracy: float
    log_loss: float
    seconds: float | None = None
    processor_s: float | None = None
    epochs: float | None = None
    iou: float | None = None
    fish_ap50: float | None = None
    heat: float | None = None


def table_text(rows: Sequence[Row], first_split: str, second_split: str, about: str, vgg16: str) -> str:
    """Return the document: a line a head with both splits side by side; the first split is the one that counts."""
    first = {row.title: row for row in rows if row.split == first_split}
    second = {row.title: row for row in rows if row.split == second_split}
    lines = [
        "# Results table",
        "",
        f"Sample fleet: {about}. Made by `make table` (bench/heads_table.py); default trunk at 360x640.",
        f"Figures are of the split by {first_split}, in brackets of the {second_split} one, whose held-out images "
        "come from cameras that",
        "training saw: the difference is what the camera gives away. Seconds are of training one head on cached "
        "features, in",
        "brackets those of the processors, whatever else the machine did meanwhile.",
        "",
        "| head | accuracy | balanced accuracy | log loss | IoU, largest | AP 0.5, all fish | heat beside fish | "
        "seconds | epochs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row, second.get(title)) for title, row in first.items()]
    lines += [
        "",
        "![Held-out images of unseen cameras: true boxes red, the box head's and (thin) every fish of the heat ",
    ]
    lines[-1] += "map yellow, the heat map below](heads.jpg)"
    lines += ["", f"VGG16 (random weights: the shapes and the speed are the same): {vgg16}.", ""]
    return "\n".join(lines)


def _line(row: Row, other: Row | None) -> str:
    cells = [f"`{row.title}`"]
    for name in ("accuracy", "balanced_accuracy", "log_loss", "iou", "fish_ap50", "heat"):
        value, beside = getattr(row, name), getattr(other, name) if other else None
        cells.append("" if value is None else f"{value:.3f}" + ("" if beside is None else f" ({beside:.3f})"))
    processor = "" if row.processor_s is None else f" ({row.processor_s:.0f})"
    cells.append("" if row.seconds is None else f"{row.seconds:.0f}{processor}")
    cells.append("" if row.epochs is None else f"{row.epochs:.0f}")
    return "| " + " | ".join(cells) + " |"
