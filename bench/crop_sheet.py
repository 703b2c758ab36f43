"""Draws docs/second-stage.png: crops of cameras never seen that a model's second stage names rightly, and wrongly.

`python -m bench.crop_sheet MODEL` takes a model version of HOME and the labelled boxes of its held-out cameras; it also
says what the second stage adds to an image's network time here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from db.domain.model_versions import SecondStage
from db.migrate import open_database
from db.session import reading
from db.settings import get_settings
from db.store.datasets import get_dataset
from db.store.model_versions import get_model
from db.tables.models import ModelVersionRow
from worker.images.decode import DecodedImage
from worker.images.labelled import open_labelled
from worker.inference.detector import AnyDetector, make_detector, prediction_of
from worker.inference.second_stage import CropClassifier, load_crop_classifier
from worker.storage.model_files import check_model_file, read_card
from worker.training.crops.samples import CropSample, crop_samples
from worker.training.data.samples import TrainingSample
from worker.training.data.snapshot import training_samples
from worker.vision.crops import letterbox_crop
from worker.vision.letterbox import fit_letterbox, letterbox_image

_COLUMNS, _ROWS, _TILE_PX, _CAPTION_PX = 12, 3, 104, 14
_TIMED = 64


@dataclass(frozen=True)
class NamedCrop:
    """A labelled crop and what the second stage calls it. sure: that species' probability."""

    sample: CropSample
    pixels: npt.NDArray[np.uint8]
    called: str
    sure: float

    @property
    def right(self) -> bool:
        """Whether it is called what it shows."""
        return self.called == self.sample.species


def main() -> None:
    """Draw the sheet and tell the times."""
    asked = _arguments()
    settings = get_settings()
    with reading(open_database(settings.database)) as session:
        held = get_model(session, asked.model)
        dataset = get_dataset(session, session.get_one(ModelVersionRow, asked.model).dataset_id or 0)
    folder = check_model_file(settings.models_dir, held.model_id, held.sha256, held.crops_sha256)
    card = read_card(settings.models_dir, held.model_id)
    evaluate = load_crop_classifier(card.second_stage, folder)
    if evaluate is None or card.second_stage is None:
        raise SystemExit(f"model {asked.model} has no second stage")
    images = [sample for sample in training_samples(dataset.entries) if sample.camera in dataset.held_out_cameras]
    evaluated = _evaluated(crop_samples(images).samples, evaluate, card.second_stage)
    _sheet(evaluated).quantize(128).save(asked.out, optimize=True)
    print(f"{sum(one.right for one in evaluated)} of {len(evaluated)} crops are called what they show")
    print(_times(make_detector(card, folder), evaluate, images[:_TIMED]))


def _evaluated(samples: Sequence[CropSample], evaluate: CropClassifier, part: SecondStage) -> list[NamedCrop]:
    evaluated = []
    for sample in samples:
        image = open_labelled(sample).decode()
        answer = evaluate.distributions([(image, [sample.box])])[0]
        place = int(answer.argmax())
        evaluated.append(NamedCrop(sample, _crop(image, sample, part), part.species[place], float(answer[place])))
    return evaluated


def _crop(image: DecodedImage, sample: CropSample, part: SecondStage) -> npt.NDArray[np.uint8]:
    return letterbox_crop(
        image.pixels,
        sample.box,
        width_px=image.width_px,
        height_px=image.height_px,
        side_px=part.crop_px,
        margin=part.margin,
    )


def _sheet(evaluated: Sequence[NamedCrop]) -> Image.Image:
    """Return right ones above, wrong ones below; each species in turn, so that the common ones do not fill it."""
    blocks = [("called what they show", True, (60, 150, 90)), ("called something else", False, (200, 70, 60))]
    high = _ROWS * (_TILE_PX + _CAPTION_PX) + 20
    sheet = Image.new("RGB", (_COLUMNS * _TILE_PX, len(blocks) * high), (24, 26, 28))
    draw = ImageDraw.Draw(sheet)
    for number, (title, right, colour) in enumerate(blocks):
        group = [one for one in evaluated if one.right is right]
        draw.text((4, number * high + 4), f"{title}: {len(group)} of {len(evaluated)}", fill=colour)
        for place, one in enumerate(_in_turn(group)[: _COLUMNS * _ROWS]):
            x, y = place % _COLUMNS * _TILE_PX, number * high + 20 + place // _COLUMNS * (_TILE_PX + _CAPTION_PX)
            sheet.paste(Image.fromarray(one.pixels).resize((_TILE_PX - 4, _TILE_PX - 4)), (x + 2, y + _CAPTION_PX))
            caption = f"{one.sample.species} {one.sure:.2f}" if right else f"{one.sample.species} > {one.called}"
            draw.text((x + 3, y + 1), caption, fill=(230, 230, 225))
    return sheet


def _in_turn(crops: Sequence[NamedCrop]) -> list[NamedCrop]:
    by_species: dict[str, list[NamedCrop]] = {}
    for one in sorted(crops, key=lambda one: one.sample.key):
        by_species.setdefault(one.sample.species, []).append(one)
    ranked = [(rank, name, one) for name, group in by_species.items() for rank, one in enumerate(group)]
    return [one for _, _, one in sorted(ranked, key=lambda row: row[:2])]


def _times(detector: AnyDetector, evaluate: CropClassifier, images: Sequence[TrainingSample]) -> str:
    rows, columns = detector.card.input_hw
    held = [open_labelled(sample).decode() for sample in images]
    canvases = np.stack([letterbox_image(image.pixels, into_hw=(rows, columns))[0] for image in held])
    detector.warm_up()
    started = time.perf_counter()
    raw = detector.predict(canvases)
    first_s = time.perf_counter() - started
    predictions = [
        prediction_of(
            raw,
            row,
            letterbox=fit_letterbox(width_px=image.width_px, height_px=image.height_px, into_hw=(rows, columns)),
            label_set=get_settings().label_set,
        )
        for row, image in enumerate(held)
    ]
    started = time.perf_counter()
    evaluate.evaluate(held, predictions)
    second_s = time.perf_counter() - started
    found = sum(len(prediction.detections) for prediction in predictions)
    return (
        f"{len(held)} images, {found} detections: first stage {1000 * first_s / len(held):.1f} ms an image, "
        f"second stage {1000 * second_s / len(held):.1f} ms more ({1000 * second_s / max(found, 1):.1f} ms a detection)"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a model version of HOME that has a second stage")
    parser.add_argument("--out", type=Path, default=Path("docs/second-stage.png"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
