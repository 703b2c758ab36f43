"""A model card and a second stage as plain JSON: what every card must tell, and nothing of a training."""

from __future__ import annotations

CARD: dict[str, object] = {
    "kind": "detector",
    "trunk": "vgg16",
    "layer": "block5_conv3",
    "input_hw": [360, 640],
    "species": ["ALB", "NoF"],
    "heads": ["box_species", "heatmap_hires"],
}
SECOND_STAGE: dict[str, object] = {
    "trunk": "vgg16",
    "crop_px": 160,
    "margin": 0.1,
    "species": ["ALB", "NoF"],
    "method": "frozen",
    "turns": 4,
    "temperature": 1.0,
    "log_prior_shift": [0.0, 0.5],
    "weight": 0.5,
}
