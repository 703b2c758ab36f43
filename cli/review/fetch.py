"""Reads the images of a review that lie under URLs or in videos, as workers read them."""

from __future__ import annotations


def fetch_url(url: bytes) -> bytes:
    """Return the content under a URL, or of a video's frame.

    Raises:
        ImageProblem: this image is gone, forbidden or too large.
        StoreUnreachable, RemoteRootError: nothing of this store can be read now.
    """
    from annotator.export.image_files import ImageProblem
    from db.settings import get_settings
    from worker.images.errors import UnreadableImage
    from worker.images.read import read_image_file

    try:
        return read_image_file(url, max_bytes=get_settings().max_file_mib * 2**20).content
    except UnreadableImage as error:
        raise ImageProblem(str(error)) from None
