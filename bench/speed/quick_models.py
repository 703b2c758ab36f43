"""Makes a HOME with a champion in a minute, good enough to be timed: a network's speed does not hang on its weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from db.settings import Settings

_LABELLED, _CAMERAS = 40, 4
DEFAULT = ("--second-stage", "frozen")
VGG16 = ("--detector", "lesson", "--trunk", "vgg16", "--weights", "random", "--second-stage", "none")


def run_cli(settings: Settings, *words: str) -> None:
    """Run one command of the command line; it must succeed."""
    environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home), "TAFFRAIL_CHOOSE_RUNTIME": "0"}
    subprocess.run([sys.executable, "-m", "cli.main", *words], env=environment, check=True, stdout=subprocess.DEVNULL)


def draw_fleet(settings: Settings, fleet: Path, *, images: int, cameras: int = _CAMERAS, seed: int = 7) -> Path:
    """Return the folder of a drawn fleet."""
    counts = ("--images", str(images), "--cameras", str(cameras), "--seed", str(seed))
    run_cli(settings, "sample", str(fleet), *counts)
    return fleet


def quick_model(home: Path, fleet: Path, kind: tuple[str, ...]) -> Settings:
    """Return the settings of a HOME whose champion was trained for one epoch on a fleet. kind: DEFAULT or VGG16."""
    settings = Settings(home=home)
    run_cli(settings, "labels", "import", f"{fleet}/labels", "--format", "ncfm", "--images", f"{fleet}/images")
    run_cli(settings, "train", "--epochs", "1", *kind)
    return settings


def learning_fleet(folder: Path) -> Path:
    """Return a fleet that is large enough to be learned from."""
    return draw_fleet(Settings(home=folder / "home"), folder / "fleet", images=_LABELLED)
