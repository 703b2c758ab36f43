"""The plot of docs/speed.md: what an image costs, by way of answering it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.speed.measured import Cost


def plot_costs(costs: Mapping[str, Mapping[str, Cost]], folder: Path) -> Path:
    """Return the file of bars: processor ms an image of each model and each way."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(costs), 1, figsize=(7.0, 1.0 + 1.7 * len(costs)), squeeze=False)
    for place, (model, of_model) in zip(axes[:, 0], costs.items(), strict=True):
        ways = list(of_model)[::-1]
        drawn = place.barh(ways, [of_model[way].cpu_ms for way in ways], color="#2f6f8f")
        place.bar_label(drawn, fmt="%.1f", padding=3, fontsize=8)
        place.set_title(model, loc="left", fontsize=10)
        place.margins(x=0.12)
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=8)
    axes[-1, 0].set_xlabel("processor ms an image", fontsize=9)
    figure.tight_layout()
    file = folder / "speed.png"
    figure.savefig(file, dpi=130)
    pyplot.close(figure)
    return file
