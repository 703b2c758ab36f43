"""Shows what a layer of a model makes of an image: the step of `cli models look`."""

from __future__ import annotations

import os

import numpy as np

from db.migrate import open_database
from db.progress import StageProgress
from db.session import reading
from db.settings import get_settings
from db.store.model_versions import get_model
from db.whole_files import whole_file
from worker.images.decode import decode_image
from worker.images.read import read_image_file
from worker.models.detector import layer_output
from worker.models.errors import UnknownNetwork
from worker.report.channel_maps import MAX_MAPS, draw_channel_maps
from worker.steps.requests import LOOK_INSIDE, LookRequest, LookResult
from worker.steps.step_process import serve_step
from worker.storage.model_files import load_model, read_card
from worker.vision.letterbox import letterbox_image


def look(request: LookRequest, progress: StageProgress) -> LookResult:
    """Draw a layer's channels for an image; return the layer's shape and how many channels were drawn.

    Raises:
        UnknownNetwork: the model has no such layer, or it gives no maps. UnreadableImage: no image.
    """
    settings = get_settings()
    with reading(open_database(settings.database)) as session:
        held = get_model(session, request.model)
    model = load_model(settings.models_dir, held.model_id, held.sha256)
    rows, columns = read_card(settings.models_dir, held.model_id).input_hw
    read = read_image_file(os.fsencode(request.image))
    pixels, _letterbox = letterbox_image(decode_image(read.content).pixels, into_hw=(rows, columns))
    maps = layer_output(model, request.layer, pixels[None])
    if maps.ndim != 4:
        raise UnknownNetwork(f"layer {request.layer!r} gives {maps.shape[1:]}, no maps (rows, columns, channels)")
    with whole_file(request.out, synced=False) as draft:
        draw_channel_maps(np.asarray(maps[0], dtype=np.float32), pixels).save(draft, "PNG")
    return LookResult(shape=maps.shape[1:], drawn=min(MAX_MAPS, int(maps.shape[3])), out=str(request.out))


if __name__ == "__main__":
    serve_step(LOOK_INSIDE, look)
