"""What a progressive JPEG's scans hold: each brings a band of frequencies, or one more bit of it, to the whole image.

Source: ITU-T T.81, B.2.3 and G.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_START_OF_SCAN = 0xDA
_END = 0xD9
_FREQUENCIES = 64
# Markers without a length: fill bytes, restarts, the start of an image.
_BARE = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})


@dataclass(frozen=True)
class LastScan:
    """The scan that a file ends in. begins: where its data does; completes: whether it is the last one of the image."""

    begins: int
    completes: bool


def last_scan(content: bytes) -> LastScan | None:
    """Return the last scan of a progressive JPEG, None for any other file."""
    missing_bits: dict[tuple[int, int], int] = {}
    components: list[int] = []
    begins = None
    for kind, place, size in _segments(content):
        body = content[place : place + size]
        if kind in _PROGRESSIVE and len(body) >= 6:
            components = list(body[6 : 6 + 3 * body[5] : 3])
        elif kind == _START_OF_SCAN and components and body and len(body) >= 4 + 2 * body[0]:
            first, last, bits = body[1 + 2 * body[0] :][:3]
            of_scan = body[1 : 1 + 2 * body[0] : 2]
            missing_bits |= {(one, band): bits & 15 for one in of_scan for band in range(first, last + 1)}
            begins = place + size
    if begins is None:
        return None
    every = [(one, band) for one in components for band in range(_FREQUENCIES)]
    return LastScan(begins, all(missing_bits.get(one) == 0 for one in every))


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each marker with the place and size of what belongs to it; a scan's data is passed over."""
    place = 2
    while 0 <= (place := content.find(b"\xff", place)) < len(content) - 3:
        kind = content[place + 1]
        place += 1 if kind == 0xFF else 2
        if kind == _END:
            return
        if kind == 0 or kind in _BARE:
            continue
        size = int.from_bytes(content[place : place + 2], "big")
        if place + size > len(content):
            return
        yield kind, place + 2, size - 2
        place += size
