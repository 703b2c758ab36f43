"""Images that lie in an object store or on another machine, named by an fsspec URL such as `s3://bucket/trip7`.

A root and every path below it are URLs in bytes; the part before the last slash is the folder, as on a disk. Needs the
extra `remote`. Credentials come from the environment or the provider's own files, never from the URL: it is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from db.domain.files import FoundFile
from db.errors import TaffrailError
from worker.images.errors import ImageFile, StoreUnreachable, UnreadableImage, UnreadableReason, check_size
from worker.images.formats import readable_endings
from worker.images.scan import Problem
from worker.images.skipped import Skipped, SkippedKind, is_trash, kind_of

PROTOCOLS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "sftp", "ssh", "smb"})


class RemoteRootError(TaffrailError):
    """A URL that cannot be a root."""


def checked_root(url: bytes) -> bytes:
    """Return a URL as a root: no trailing slash, a protocol of the allowed ones, no password in it.

    Raises:
        RemoteRootError: it is no such URL, or what reads it is not installed.

    >>> checked_root(b"s3://bucket/trip7/")
    b's3://bucket/trip7'
    """
    text = url.decode("utf-8", "backslashreplace").rstrip("/")
    parts = urlsplit(text)
    if parts.password or "::" in text:
        raise RemoteRootError(f"{parts.scheme}://...: a password or a chain in the URL; wanted PROTOCOL://PLACE/FOLDER")
    if parts.scheme not in PROTOCOLS or not parts.netloc:
        raise RemoteRootError(f"{text!r}: wanted a folder, or a URL of {', '.join(sorted(PROTOCOLS))}")
    if ".." in parts.path.split("/"):
        raise RemoteRootError(f"{text!r}: '..' in the URL")
    _system_and_path(text.encode())
    return text.encode()


def scan_remote(root: bytes, *, on_problem: Problem, skipped: Skipped | None = None) -> Iterator[FoundFile]:
    """Yield every object below root that is named like an image, folder by folder. skipped: counts the others.

    Raises:
        StoreUnreachable: the place cannot be listed.
    """
    system, top = _system_and_path(root)
    scheme = root.split(b"://", 1)[0]
    try:
        for folder, _inner, entries in system.walk(top, detail=True, on_error="raise"):
            place = scheme + b"://" + folder.encode().rstrip(b"/")
            for name, entry in sorted(entries.items()):
                kind = _left_aside(place + b"/" + name.encode())
                if kind is None:
                    yield FoundFile(place, name.encode(), int(entry.get("size") or 0), _modified_ns(entry))
                elif skipped is not None:
                    skipped.add(kind, place + b"/" + name.encode())
    except FileNotFoundError:
        on_problem(root, "there is nothing at this place")
    except Exception as error:  # each provider's library raises its own kinds
        raise StoreUnreachable(f"{root.decode()}: cannot be listed ({_first_line(error)})") from None


def _left_aside(path: bytes) -> SkippedKind | None:
    parts = path.split(b"/")
    if any(map(is_trash, parts)):
        return SkippedKind.TRASH
    if parts[-1].startswith(b"."):
        return SkippedKind.HIDDEN
    return None if parts[-1][parts[-1].rfind(b".") :].lower() in readable_endings() else kind_of(parts[-1])


def read_remote_file(path: bytes, *, root: bytes | None, max_bytes: int) -> ImageFile:
    """Return an object's bytes and hash; below root where one is given.

    Raises:
        UnreadableImage: missing, forbidden, outside root, empty, too large.
        StoreUnreachable: the store did not answer; it says nothing about the object.
    """
    if root is not None and (not path.startswith(root.rstrip(b"/") + b"/") or b".." in path.split(b"/")):
        raise UnreadableImage(UnreadableReason.OUTSIDE_ROOT, "the path leads out of the place that was enqueued")
    system, place = _system_and_path(path)
    try:
        check_size(int(system.info(place).get("size") or 0), max_bytes=max_bytes)
        content = bytes(system.cat_file(place))
    except UnreadableImage:
        raise
    except FileNotFoundError:
        raise UnreadableImage(UnreadableReason.MISSING, "the object is gone") from None
    except PermissionError:
        raise UnreadableImage(UnreadableReason.PERMISSION, "these credentials may not read it") from None
    except Exception as error:  # each provider's library raises its own kinds
        raise StoreUnreachable(f"{path.decode('utf-8', 'backslashreplace')}: {_first_line(error)}") from None
    return ImageFile(content=content, sha256=hashlib.sha256(content).hexdigest())


def write_remote_file(path: bytes, content: bytes) -> None:
    """Write an object whole.

    Raises:
        StoreUnreachable: the store does not answer, or these credentials may not write.
    """
    system, place = _system_and_path(path)
    try:
        system.pipe_file(place, content)
    except Exception as error:  # each provider's library raises its own kinds
        raise StoreUnreachable(f"{path.decode('utf-8', 'backslashreplace')}: {_first_line(error)}") from None


def _system_and_path(url: bytes) -> tuple[Any, str]:
    scheme, place = url.decode("utf-8").split("://", 1)
    if scheme in ("sftp", "ssh", "smb"):
        host, _, inner = place.partition("/")
        return _file_system(scheme, host), "/" + inner
    return _file_system(scheme), place


@lru_cache(maxsize=16)
def _file_system(scheme: str, host: str = "") -> Any:
    """The library's file system, made once; without its listing cache, which would hide what changed meanwhile."""
    try:
        import fsspec

        options = {"host": host} if host else {}
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **options)
    except (ImportError, ValueError) as error:
        raise RemoteRootError(
            f"{scheme}://: cannot be read here ({_first_line(error)}); pip install 'taffrail-fish[remote]'"
        ) from None
    except Exception as error:  # a server that is asked at once: each library raises its own kinds
        raise StoreUnreachable(f"{scheme}://{host}: {_first_line(error)}") from None


_MOMENTS: tuple[tuple[str, Callable[[Any], float]], ...] = (
    ("LastModified", lambda moment: moment.timestamp()),
    ("last_modified", lambda moment: moment.timestamp()),
    ("updated", lambda text: datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()),
    ("mtime", lambda moment: moment.timestamp() if isinstance(moment, datetime) else float(moment)),
)


def _modified_ns(entry: dict[str, Any]) -> int:
    """When an object was last written, as each provider tells it; 0 where it does not."""
    for name, seconds in _MOMENTS:
        if entry.get(name) is not None:
            return int(seconds(entry[name]) * 1e9)
    return 0


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def forget_file_systems() -> None:
    """Make every file system anew: for a process whose credentials or endpoint changed."""
    _file_system.cache_clear()
