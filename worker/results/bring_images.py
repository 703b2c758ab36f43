"""Brings an image into a folder that is written for another program; the original is only read."""

from __future__ import annotations

import os

from db.domain.results import ImageResult
from db.errors import TaffrailError
from worker.images.read import read_image_file
from worker.results.names import ImagesIn
from worker.results.options import Export


def bring_image(target: bytes, result: ImageResult, export: Export) -> str | None:
    """Return why an image cannot be brought, None where it is there or is not wanted."""
    if export.options.images is ImagesIn.NONE:
        return None
    try:
        image = read_image_file(result.file, root=export.root_path, max_bytes=export.options.max_file_bytes)
    except TaffrailError as error:
        return str(error)
    if image.sha256 != result.sha256:
        return "changed since it was enqueued; enqueue its folder again"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if export.options.images is ImagesIn.HARDLINK:
        try:
            os.link(result.file, target)
        except OSError:
            pass  # another disk, or a URL: a copy then
        else:
            return None
    with open(target, "xb") as file:
        file.write(image.content)
    return None
