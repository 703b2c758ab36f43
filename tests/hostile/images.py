"""Writes images that are odd, broken or malicious, and says what must become of each: a result, or which reason."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import zlib
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

from PIL import Image, ImageCms, PngImagePlugin

from worker.images.errors import UnreadableReason as Reason

RESULT = "done"
Becomes = dict[bytes, str]
"""By path below the folder: `RESULT`, or the stored reason."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def bytes_of(image: Image.Image, image_format: str, **options: object) -> bytes:
    """Return an image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def gradient(mode: str = "RGB", size: tuple[int, int] = (80, 40), *, turn: int = 0) -> Image.Image:
    """Return a small image; another one for every turn, so that no two files have the same content."""
    return Image.linear_gradient("L").rotate(turn).resize(size).convert(mode)


def write_odd_images(folder: Path) -> Becomes:
    """Write every kind of image that is unusual and good."""
    sixteen_bits = Image.frombytes("I;16", (8, 8), bytes(range(128)))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = {
        b"cmyk.jpg": bytes_of(gradient("CMYK", turn=1), "JPEG"),
        b"sixteen.png": bytes_of(sixteen_bits, "PNG"),
        b"float.tif": bytes_of(gradient("F", turn=2), "TIFF"),
        b"palette.png": bytes_of(gradient("P", turn=3), "PNG", transparency=0),
        b"alpha.webp": bytes_of(gradient("RGBA", turn=4), "WEBP"),
        b"one-bit.bmp": bytes_of(gradient("1", turn=5), "BMP"),
        b"animated.webp": _two_frames("WEBP", turn=30),
        b"animated.png": _two_frames("PNG", turn=32, duration=50),
        b"two.mpo": _two_frames("MPO", turn=34),
        b"pages.tiff": _two_frames("TIFF", turn=36),
        b"profile.jpg": bytes_of(gradient(turn=6), "JPEG", icc_profile=profile),
        b"no-profile.jpg": bytes_of(gradient(turn=7), "JPEG", icc_profile=b"nothing of a profile"),
        b"no-exif.jpg": bytes_of(gradient(turn=8), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"),
        b"png-inside.jpg": bytes_of(gradient(turn=9), "PNG"),
        b"one-pixel.png": bytes_of(Image.new("RGB", (1, 1)), "PNG"),
        b"a-line.png": bytes_of(gradient(size=(30_000, 1)), "PNG"),
        b"new\nline\r\t\x1b[31m.png": bytes_of(gradient(turn=13), "PNG"),
        b"not-utf8-\xff\xfe.png": bytes_of(gradient(turn=14), "PNG"),
        b"n" * 251 + b".png": bytes_of(gradient(turn=15), "PNG"),
        b"'; DROP TABLE items; --.png": bytes_of(gradient(turn=16), "PNG"),
        b"<script>alert(1)<script>.png": bytes_of(gradient(turn=17), "PNG"),
        b"{0} %s $HOME `id`.png": bytes_of(gradient(turn=18), "PNG"),
        b"-rf.png": bytes_of(gradient(turn=19), "PNG"),
        b"/".join([b"deep"] * 300) + b"/fish.png": bytes_of(gradient(turn=20), "PNG"),
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[b"turned-%d.jpg" % orientation] = bytes_of(gradient(turn=20 + orientation), "JPEG", exif=exif)
    _write(folder, files)
    return dict.fromkeys(files, RESULT)


def write_broken_images(folder: Path) -> Becomes:
    """Write every kind of file that gives no image, or would do harm if it were read without care."""
    large = gradient(size=(640, 480))
    text_bomb = PngImagePlugin.PngInfo()
    text_bomb.add_text("Comment", "a" * 70_000_000, zip=True)
    wanted = {
        b"no-bytes.jpg": (b"", Reason.EMPTY),
        b"text.jpg": (b"not an image", Reason.NOT_AN_IMAGE),
        b"gif.jpg": (bytes_of(gradient(), "GIF"), Reason.NOT_AN_IMAGE),
        b"postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", Reason.NOT_AN_IMAGE),
        b"torn.jpg": (bytes_of(large, "JPEG")[:-900], Reason.BROKEN),
        b"torn.png": (bytes_of(large, "PNG")[:-500], Reason.BROKEN),
        b"torn.tif": (bytes_of(large, "TIFF")[:5_000], Reason.BROKEN),
        b"torn.bmp": (bytes_of(large, "BMP")[:5_000], Reason.BROKEN),
        b"torn.webp": (bytes_of(large, "WEBP")[:-200], Reason.BROKEN),
        b"pixel-bomb.png": (_png_of_zeros(60_000, 60_000), Reason.TOO_MANY_PIXELS),
        b"text-bomb.png": (bytes_of(gradient(), "PNG", pnginfo=text_bomb), Reason.BROKEN),
        b"wrong-checksum.png": (_png_head(80, 40)[:-1] + b"\x00", Reason.NOT_AN_IMAGE),
    }
    _write(folder, {name: content for name, (content, _) in wanted.items()})
    return {name: str(reason) for name, (_, reason) in wanted.items()} | _write_special_files(folder)


def _write_special_files(folder: Path) -> Becomes:
    outside = folder.parent / "outside.png"
    outside.write_bytes(bytes_of(gradient(turn=40), "PNG"))
    (folder / "out.png").symlink_to(outside)
    (folder / "out-again.png").symlink_to(f"../{folder.name}/../outside.png")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "round.png").symlink_to("round-again.png")
    (folder / "round-again.png").symlink_to("round.png")
    (folder / "to-itself").symlink_to(folder, target_is_directory=True)
    (folder / "a-folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener, chdir(folder):  # a socket's path may have 107 characters only
        listener.bind("socket.png")
    becomes = {
        b"out.png": Reason.OUTSIDE_ROOT,
        b"out-again.png": Reason.OUTSIDE_ROOT,
        b"endless.png": Reason.OUTSIDE_ROOT,
        b"nowhere.png": Reason.MISSING,
        b"round.png": Reason.MISSING,
        b"round-again.png": Reason.MISSING,
        b"pipe.png": Reason.NOT_REGULAR,
        b"socket.png": Reason.NOT_REGULAR,
    }
    if os.geteuid() == 0:
        os.mknod(folder / "device.png", 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
        becomes[b"device.png"] = Reason.NOT_REGULAR
    return {name: str(reason) for name, reason in becomes.items()}


def _two_frames(image_format: str, *, turn: int, **options: object) -> bytes:
    more = [gradient(turn=turn + 1)]
    return bytes_of(gradient(turn=turn), image_format, save_all=True, append_images=more, **options)


def _write(folder: Path, files: dict[bytes, bytes]) -> None:
    for name, content in files.items():
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _png_head(width_px: int, height_px: int) -> bytes:
    return _PNG_SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0))


def _png_of_zeros(width_px: int, height_px: int) -> bytes:
    """A whole PNG of black pixels, a thousandth of its size on the disk; 3.6 gigabytes when it is decoded."""
    packer: Callable[[bytes], bytes] = zlib.compressobj(9).compress
    rows = packer(bytes(width_px + 1) * 64)
    return _png_head(width_px, height_px) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
