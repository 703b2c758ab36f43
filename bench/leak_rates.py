"""How often the leak audit is right about cameras and image sizes: fleets drawn as `cli sample` draws them.

Only which camera sees what is drawn, no image, so it takes two minutes. `python -m bench.leak_rates` prints the table
of docs/leakage.md.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from db.domain.leakage import LeakVerdict
from db.domain.species import DEFAULT_LABEL_SET
from worker.leakage.shortcut_cues import CueImages, folds_by, linear_learner, one_hot
from worker.leakage.verdicts import evaluate_cue
from worker.sample_fleet.write import plan_fleet

FLEETS = ((100, 6), (200, 8), (400, 12), (800, 16))


def main() -> None:
    """Print how often each verdict was given, by fleet and cue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="fleets of each kind")
    seeds = parser.parse_args().seeds
    print("| images | cameras | built | asked | " + " | ".join(LeakVerdict) + " |")
    print("|---|---|---|---|" + "---:|" * len(LeakVerdict))
    for images, cameras in FLEETS:
        for leak in (True, False):
            asked = [_verdicts(images, cameras, leak=leak, seed=seed) for seed in range(seeds)]
            for name in asked[0]:
                given = Counter(verdicts[name] for verdicts in asked)
                counts = " | ".join(str(given[verdict]) for verdict in LeakVerdict)
                built = "with a leak" if leak else "--no-leak"
                print(f"| {images} | {cameras} | {built} | {name} | {counts} |", flush=True)


def _verdicts(images: int, cameras: int, *, leak: bool, seed: int) -> dict[str, LeakVerdict]:
    planned = plan_fleet(images, range(cameras), seed, leak=leak)
    species = np.array([DEFAULT_LABEL_SET.index(one.species) for one in planned], dtype=np.int64)
    apart = np.arange(images)  # no two are alike
    asked = CueImages(species, folds_by(apart.tolist(), seed=0), apart, len(DEFAULT_LABEL_SET))
    found = {}
    for name, values in (("size", [one.size_px for one in planned]), ("camera", [one.camera for one in planned])):
        learn = linear_learner(one_hot(values), asked.folds, count=asked.count)
        found[name] = evaluate_cue(name, asked.ask(learn), control=asked.find_planted(learn, values)).verdict
    return found


if __name__ == "__main__":
    main()
