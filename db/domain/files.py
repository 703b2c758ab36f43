"""Files as a scan finds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FoundFile:
    """A file that may be an image, as the disk shows it."""

    folder: bytes
    name: bytes
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Registered:
    """What registering a folder's files came to; changed files are asked again."""

    new: int
    changed: int
    known: int

    def __add__(self, other: Registered) -> Registered:
        return Registered(self.new + other.new, self.changed + other.changed, self.known + other.known)
