"""Keeps what trained heads said until an evaluation is through: one that was stopped trains none of them again."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.whole_files import whole_file
from worker.evaluation.answers import Answers, FoundFish
from worker.models.errors import TrainingError
from worker.models.names import HeadName
from worker.training.data.samples import TrainingSample
from worker.training.data.splits import Fold
from worker.training.detector.fit import FitSettings


@dataclass(frozen=True)
class KeptAnswers:
    """A folder of answers. about: what they depend on besides head, recipe and images: trunk, size, species."""

    folder: Path
    about: str

    def key(self, head: HeadName, fit: FitSettings, fold: Fold, samples: Sequence[TrainingSample]) -> str:
        """Return a name that changes with anything that a head's answers depend on."""
        digest = hashlib.sha256(f"{self.about} {head} {fit!r}".encode())
        for rows in (fold.learn_rows, fold.eval_rows):
            for row in rows:
                one = samples[row]
                digest.update(f"{one.sha256} {one.camera} {one.label!r} {one.weight:g}\n".encode())
            digest.update(b"\n")
        return digest.hexdigest()[:24]

    def recall(self, key: str) -> Answers | None:
        """Return what was kept; None where nothing was, or the file is torn."""
        try:
            # A stream of ours: NumPy leaves a torn file open.
            with (self.folder / f"{key}.npz").open("rb") as stream, np.load(stream) as held:
                return _unpacked({name: held[name] for name in held.files})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def keep(self, key: str, answers: Answers) -> None:
        """Keep answers, whole or not at all.

        Raises:
            TrainingError: the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # A stream, since to a name NumPy would add an ending.
            with whole_file(self.folder / f"{key}.npz") as draft, draft.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **_packed(answers))
        except OSError as error:
            raise TrainingError(f"{self.folder}: answers cannot be kept ({error.strerror or error})") from error

    def forget(self) -> None:
        """Forget all answers: the evaluation is through, and a newer program may answer otherwise."""
        for file in self.folder.glob("*.npz"):
            file.unlink(missing_ok=True)


def _packed(answers: Answers) -> dict[str, np.ndarray]:
    parts = {
        "name": np.array(answers.name),
        "probabilities": answers.probabilities,
        "seconds": np.array(answers.seconds),
        "heatmap_bytes": np.frombuffer(b"".join(answers.heatmaps), dtype=np.uint8),
        "heatmap_ends": np.cumsum([len(one) for one in answers.heatmaps], dtype=np.int64),
    }
    if answers.largest is not None:
        parts["largest"] = answers.largest
    if answers.found is not None:
        rows = [
            (row, *fish.xyxy, fish.species_index, fish.confidence)
            for row, some in enumerate(answers.found)
            for fish in some
        ]
        parts["found"] = np.array(rows, dtype=np.float64).reshape(-1, 7)
    return parts


def _unpacked(parts: dict[str, np.ndarray]) -> Answers:
    found: list[list[FoundFish]] | None = None
    if "found" in parts:
        found = [[] for _ in parts["probabilities"]]
        for row, x_min, y_min, x_max, y_max, species_index, confidence in parts["found"].tolist():
            found[int(row)].append(FoundFish((x_min, y_min, x_max, y_max), int(species_index), confidence))
    ends = parts["heatmap_ends"].tolist()
    packed = parts["heatmap_bytes"].tobytes()
    return Answers(
        str(parts["name"]),
        parts["probabilities"],
        largest=parts.get("largest"),
        found=found,
        seconds=float(parts["seconds"]),
        heatmaps=[packed[start:end] for start, end in zip([0, *ends], ends, strict=False)],
    )
