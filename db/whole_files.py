"""Files and folders that appear whole or not at all: the one way in which any part of the program writes them.

A draft is written beside its place under a hidden name, brought to the disk, and renamed; the folder that holds it is
brought to the disk last, since the new name is part of that folder. Whoever looks meanwhile, and whoever looks after
a kill or a power failure, finds what was there before or what is complete. A draft that a killed process left behind
is never read; `forget_old_drafts` removes it.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_ENDING = ".part"  # no pattern of ours, such as *.json, meets a draft
_DRAFT_LIFE_S = 3600.0  # nothing takes an hour to write: an older draft was left by a writer that died
_NO_SUCH_SYNC = (errno.EINVAL, errno.ENOTSUP)  # some network file systems cannot bring a folder to the disk


@contextmanager
def whole_file(path: Path, *, synced: bool = True, private: bool = False) -> Iterator[Path]:
    """The draft of a file, empty; it takes the file's name at the end of the block.

    A file of that name is replaced; an error in the block leaves it as it was, and no draft.
    synced: waits for the disk; False only for what can be made again. private: only its owner may read it.
    Raises:
        OSError: the folder cannot be written, or is full.
    """
    draft = _draft_of(path)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
    try:
        yield draft
        move_whole(draft, path, synced=synced)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path, *, synced: bool = True, private: bool = False) -> Iterator[Path]:
    """The draft of a folder, empty; it takes the folder's name at the end of the block.

    An empty folder of that name is replaced; an error in the block leaves nothing behind.
    synced: waits for the disk, file by file; False only for what can be made again. private: for its owner's eyes only.
    Raises:
        OSError: the place cannot be written, is full, or something of that name is there.
    """
    draft = _draft_of(path)
    draft.mkdir(mode=0o700 if private else 0o777)
    try:
        yield draft
        move_whole(draft, path, synced=synced)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def write_whole(path: Path, content: bytes, *, synced: bool = True) -> None:
    """Write a file; whoever reads the path sees the old content or the new one, never a part.

    Raises:
        OSError: the folder cannot be written, or is full.
    """
    with whole_file(path, synced=synced) as draft:
        draft.write_bytes(content)


def move_whole(draft: Path, path: Path, *, synced: bool = True) -> None:
    """Give a complete file or folder its place, on the same disk.

    Raises:
        OSError: the place cannot be written, or a folder that is not empty is there.
    """
    if synced:
        _sync_below(draft)
    os.replace(draft, path)
    if synced:
        _sync_folder(path.absolute().parent)


def sync_files(files: Sequence[Path]) -> None:
    """Bring files that were written unsynced to the disk, and then each folder that holds their names once.

    Many at a time are much cheaper than one after the other is written: the first wait takes most of them along.

    Raises:
        OSError: the disk fails, or a file is gone.
    """
    for file in files:
        _sync(file)
    for folder in {file.absolute().parent for file in files}:
        _sync_folder(folder)


def forget_old_drafts(folder: Path) -> None:
    """Remove the drafts that killed writers left in a folder; what may still be written stays."""
    for draft in folder.glob(f".*{_ENDING}"):
        try:
            if time.time() - draft.lstat().st_mtime < _DRAFT_LIFE_S:
                continue
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
        except OSError:
            continue  # another process removes it at this moment, or it is not ours to remove


def _draft_of(path: Path) -> Path:
    # Not of the file's name, which may be as long as the disk allows.
    return path.absolute().with_name(f".{secrets.token_hex(8)}{_ENDING}")


def _sync_below(draft: Path) -> None:
    if draft.is_file():
        _sync(draft)
    for parent, _folders, names in os.walk(draft):
        for name in names:
            _sync(Path(parent, name))
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in _NO_SUCH_SYNC:
            raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
