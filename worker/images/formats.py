"""Which kinds of image files are read: those of a closed list, as far as Pillow and its plug-in read them here."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

# MPO comes as JPEG: Pillow's own list knows no separate opener for it. DIB is a BMP without its file header.
_ALWAYS = ("JPEG", "PNG", "TIFF", "BMP", "DIB", "WEBP")
_ENDINGS = frozenset(b".jpg .jpeg .jpe .jfif .mpo .png .tif .tiff .bmp .dib .webp".split())
_HEIF_ENDINGS = frozenset(b".heic .heif .hif".split())


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are read; HEIF needs the extra `heif`."""
    heif = ("HEIF",) if _register_heif() else ()
    return (*_ALWAYS, *(("AVIF",) if _reads_avif() else ()), *heif)


@cache
def readable_endings() -> frozenset[bytes]:
    """Return the endings, lower case, of files that are read as images."""
    avif, heif = _reads_avif(), find_spec("pillow_heif") is not None
    return _ENDINGS | (frozenset({b".avif"}) if avif else frozenset()) | (_HEIF_ENDINGS if heif else frozenset())


def videos_are_read() -> bool:
    """Return whether the extra `video` is installed."""
    return find_spec("av") is not None


def _reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


def _register_heif() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    # Only the main image: thumbnails and depth maps inside a file are none of the trip's.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False)
    return True
