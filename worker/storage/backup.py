"""Backs HOME up into one archive while workers run, and makes a HOME of such an archive again.

The archive is a tar: the database first (a consistent copy), then the models and crops that this copy names, then
`manifest.json` with every file's SHA-256. Models and crops are written before the rows that name them and never
changed afterwards, so what the copy names is whole, whatever workers do meanwhile. Features and the embedded broker's
messages are left out: both are made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import sqlite3
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from db.errors import DatabaseError, TaffrailError
from db.migrate import open_database
from db.progress import Progress, no_progress
from db.session import transaction
from db.settings import Settings
from db.store.batches import forget_messages
from db.whole_files import whole_file, whole_folder
from worker.storage.model_files import CARD_NAME, FOLLOWER_NAME, MODEL_NAME

DATABASE_NAME = "taffrail.db"
MANIFEST_NAME = "manifest.json"
_FORMAT = "taffrail backup 1"
_SAFE_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_MANIFEST_BYTES = 2**31
_CHUNK_BYTES = 2**20


class _Manifest(BaseModel):
    """Written last. sha256: of every other file of the archive, by its name in it."""

    model_config = ConfigDict(frozen=True)

    format: str
    sha256: dict[str, str]


class BackupError(TaffrailError):
    """A backup cannot be written, or an archive cannot be made a HOME of."""


@dataclass(frozen=True)
class Backup:
    """What an archive holds. missing: files that the database names and the disk lacks, relative to HOME."""

    files: int
    size_bytes: int
    missing: tuple[str, ...] = ()


def make_backup(settings: Settings, out: Path, *, progress: Progress = no_progress) -> Backup:
    """Write HOME's database, models and crops to a new archive, private to the user; it appears whole or not at all.

    Raises:
        BackupError: the database is no SQLite file, the archive exists or cannot be written.
    """
    database = _sqlite_file(settings)
    if os.path.lexists(out):
        raise BackupError(f"{out}: exists already; a backup is never overwritten")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".taffrail-backup-", dir=out.parent) as scratch,
            whole_file(out, private=True) as draft,
        ):
            copy = Path(scratch) / DATABASE_NAME
            _copy_database(database, copy)
            return _write_archive(draft, copy, settings, progress)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{out}: cannot be written ({_told(error)})") from error


def restore_backup(archive: Path, home: Path, *, progress: Progress = no_progress) -> Backup:
    """Make a new HOME of an archive; every file is checked, and work that was going on waits to be resumed.

    Raises:
        BackupError: HOME is not empty, the archive is damaged or is none, or the disk is full.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise BackupError(f"{home}: is not empty; restore into a new folder and point TAFFRAIL_HOME there")
    try:
        home.absolute().parent.mkdir(parents=True, exist_ok=True)
        # Not synced: it may hold a hundred thousand crops, and the archive remains to restore from.
        with whole_folder(home, synced=False, private=True) as draft:
            done = _unpack(archive, draft, progress)
            _check_database(archive, draft / DATABASE_NAME)
    except (OSError, EOFError, ValueError, tarfile.TarError, DatabaseError) as error:
        raise BackupError(f"{archive}: cannot be restored ({_told(error)})") from error
    return done


def _sqlite_file(settings: Settings) -> Path:
    if not settings.database.startswith("sqlite:///"):
        raise BackupError("the database is on a server: back it up with pg_dump, and HOME's models and crops as files")
    database = Path(settings.database.removeprefix("sqlite:///"))
    if not database.is_file():
        raise BackupError(f"{database}: there is no database yet, so nothing to back up")
    return database


def _copy_database(database: Path, copy: Path) -> None:
    """SQLite's own online backup in one step: readers and writers only wait while it copies."""
    with (
        contextlib.closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=60.0)
        ) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target, pages=-1)


def _write_archive(draft: Path, database: Path, settings: Settings, progress: Progress) -> Backup:
    home = settings.home
    names = _named_files(database, home, with_crops=not settings.artifacts)
    missing: list[str] = []
    digests: dict[str, str] = {}
    with tarfile.open(draft, mode="w", format=tarfile.PAX_FORMAT) as tar:
        digests[DATABASE_NAME] = _add(tar, database, DATABASE_NAME)
        for number, name in enumerate(names, start=1):
            try:
                digests[name] = _add(tar, home / name, name)
            except FileNotFoundError:
                missing.append(name)
            progress(number, len(names))
        _add_manifest(tar, digests)
    return Backup(len(digests), draft.stat().st_size, tuple(missing))


def _named_files(database: Path, home: Path, *, with_crops: bool) -> list[str]:
    """The files that a database names, relative to HOME: its models' and, where they lie in HOME, its crops."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        models = [str(row[0]) for row in connection.execute("SELECT id FROM model_versions ORDER BY id")]
        held = "SELECT DISTINCT crop_file FROM detections WHERE crop_file IS NOT NULL ORDER BY crop_file"
        crops = connection.execute(held) if with_crops else ()
        followers = connection.execute("SELECT id FROM followers ORDER BY id")
        return [
            *(name for model in models for name in _model_files(home, model)),
            *(f"models/{row[0]}/{FOLLOWER_NAME}" for row in followers),
            *(str(row[0]) for row in crops),
        ]


def _model_files(home: Path, model_id: str) -> list[str]:
    held = {file.name for file in (home / "models" / model_id).glob("[!.]*") if file.is_file()}
    return [f"models/{model_id}/{name}" for name in sorted(held | {CARD_NAME, MODEL_NAME})]


def _add(tar: tarfile.TarFile, file: Path, name: str) -> str:
    """Add a file as it is while it is read, and return its SHA-256."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = os.fstat(stream.fileno()).st_size, 0o600
        tar.addfile(entry, stream)
    return digest


def _add_manifest(tar: tarfile.TarFile, digests: dict[str, str]) -> None:
    text = _Manifest(format=_FORMAT, sha256=digests).model_dump_json().encode()
    entry = tarfile.TarInfo(MANIFEST_NAME)
    entry.size, entry.mode = len(text), 0o600
    tar.addfile(entry, io.BytesIO(text))


def _unpack(archive: Path, folder: Path, progress: Progress) -> Backup:
    found: dict[str, str] = {}
    manifest: _Manifest | None = None
    with tarfile.open(archive, mode="r:") as tar:
        for entry in tar:
            stream = tar.extractfile(entry) if entry.isreg() else None
            if stream is None or not _is_ours(entry.name):
                raise BackupError(f"{archive}: {entry.name!r} is nothing that a backup holds")
            if entry.name == MANIFEST_NAME:
                manifest = _manifest(archive, stream, entry.size)
            else:
                found[entry.name] = _extract(stream, folder / entry.name)
                progress(len(found), 0)
    _compare(archive, manifest, found)
    return Backup(len(found), archive.stat().st_size)


def _is_ours(name: str) -> bool:
    """Only names that a backup writes are unpacked: nothing leads out of the folder, nothing is a link.

    >>> _is_ours("crops/ab/abcd-1.jpg"), _is_ours("../../etc/passwd"), _is_ours("/etc/passwd")
    (True, False, False)
    """
    if name in (DATABASE_NAME, MANIFEST_NAME):
        return True
    top, *rest = name.split("/")
    return top in ("models", "crops") and len(rest) == 2 and all(_SAFE_PART.fullmatch(part) for part in rest)


def _manifest(archive: Path, stream: IO[bytes], size: int) -> _Manifest:
    if size > _MANIFEST_BYTES:
        raise BackupError(f"{archive}: its manifest has {size} bytes, wanted at most {_MANIFEST_BYTES}")
    try:
        return _Manifest.model_validate_json(stream.read())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([MANIFEST_NAME, *(str(part) for part in first["loc"])])
        raise BackupError(f"{archive}: {place}: {first['msg']}; it is torn, or no backup") from None


def _extract(stream: IO[bytes], target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with target.open("xb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _compare(archive: Path, manifest: _Manifest | None, found: dict[str, str]) -> None:
    if manifest is None or manifest.format != _FORMAT:
        raise BackupError(f"{archive}: has no manifest of {_FORMAT!r}; it is torn, or no backup")
    wanted = manifest.sha256
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise BackupError(f"{archive}: {name} is not as it was written; the archive is damaged")


def _check_database(archive: Path, database: Path) -> None:
    if not database.is_file():
        raise BackupError(f"{archive}: holds no database")
    engine = open_database(f"sqlite:///{database}")
    try:
        with transaction(engine) as session:
            forget_messages(session)
    finally:
        engine.dispose()


def _told(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
