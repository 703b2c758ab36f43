"""A reviewed folder back into the store: every file whole or not at all, and what is odd is named and left out.

A file is matched by the ids hidden in it and by the image's content, never by its name: folders may be renamed,
moved, half finished, or hold only what labelme saved to another `--output`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from annotator.corrections.compare import Comparison, compare
from annotator.errors import AnnotatorError, ImportRefused, LabelmeError
from annotator.labelme.json_files import LabelmeFile, posix_path, read_labelme
from annotator.labelme.shown import HIDDEN_KEY, state_from_json
from db.domain.corrections import Change, Correction, CorrectionOutcome
from db.domain.species import LabelSet
from db.errors import NotFoundError
from db.progress import Progress, no_progress
from db.session import reading, transaction
from db.store.duplicates import count_answered_by_duplicates
from db.store.reviews import ReviewExport, ReviewItem, add_corrections, digest_of, get_export

# Many files a transaction: each one's commit would cost a sync of the disk.
FILES_A_TRANSACTION = 200
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ImportSummary:
    """What an import found. added: answers new to the store; repeated: answers it held already.

    models: the model versions whose predictions were answered. duplicates: images that are answered by these ones.
    """

    files: int = 0
    added: int = 0
    repeated: int = 0
    outcomes: dict[CorrectionOutcome, int] = field(default_factory=dict)
    changes: dict[Change, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    duplicates: int = 0


@dataclass(frozen=True)
class _Answer:
    """One file's answer, not stored yet."""

    file: Path
    item: ReviewItem
    correction: Correction | None


def import_reviews(
    folder: Path,
    *,
    engine: Engine,
    label_set: LabelSet,
    reviewer: str,
    images: Path | None = None,
    progress: Progress = no_progress,
) -> ImportSummary:
    """Return what was imported from a folder; importing it again adds only what was changed since.

    images: where the images lie, if labelme saved to another folder and they moved. progress: (done, total) files.

    Raises:
        ImportRefused: no such folder, no JSON in it, no name of a reviewer, or another import at the same time.
        DatabaseError: the store cannot be used; what was imported before stays, and the import can be repeated.
    """
    name = "".join(letter for letter in reviewer if letter.isprintable()).strip()[:255]
    if not name:
        raise ImportRefused("the reviewer has no name; give one with --reviewer")
    files = _json_files(folder)
    reader = _Reader(engine=engine, label_set=label_set, reviewer=name, roots=_roots(folder, images))
    answers: list[_Answer] = []
    problems: list[str] = []
    for done, file in enumerate(files):
        progress(done, len(files))
        try:
            answers.append(reader.read(file))
        except (AnnotatorError, NotFoundError) as error:
            problems.append(f"{_shown(file, folder)}: {str(error).removeprefix(f'{file}').lstrip(': ')}")
    progress(len(files), len(files))
    to_store, contradictions = _one_answer_each(answers, folder=folder)
    added = _store(engine, to_store)
    return ImportSummary(
        files=len(files),
        added=added,
        repeated=len(to_store) - added,
        outcomes=_count_outcomes(answers, to_store),
        changes=dict(Counter(changed.change for _, said in to_store for changed in said.changes)),
        models=tuple(sorted({said.model_version for _, said in to_store if said.model_version is not None})),
        problems=(*problems, *contradictions),
        duplicates=_count_duplicates(engine, to_store),
    )


class _Reader:
    """Reads files of any number of exports; each export is loaded once."""

    def __init__(self, *, engine: Engine, label_set: LabelSet, reviewer: str, roots: tuple[Path, ...]) -> None:
        self._engine = engine
        self._label_set = label_set
        self._reviewer = reviewer
        self._roots = roots
        self._exports: dict[str, ReviewExport | NotFoundError] = {}

    def read(self, file: Path) -> _Answer:
        """Return a file's answer.

        Raises:
            AnnotatorError: the file, its image or its edits cannot be used.
            NotFoundError: its export is not held.
        """
        edited = read_labelme(file)
        export, item = self._find(edited)
        state = state_from_json(item.shapes, width_px=item.width_px, height_px=item.height_px)
        self._check_image(file, edited, export=export, item=item, read=False)
        found = compare(state, edited, label_set=self._label_set)
        if found.outcome is CorrectionOutcome.UNTOUCHED:
            return _Answer(file, item, None)
        self._check_image(file, edited, export=export, item=item, read=True)
        return _Answer(file, item, self._correction(file, found, export=export, item=item))

    def _find(self, edited: LabelmeFile) -> tuple[ReviewExport, ReviewItem]:
        hidden = edited.extra.get(HIDDEN_KEY)
        ids = hidden if isinstance(hidden, dict) else {}
        export_id, number, sha256 = (ids.get(key) for key in ("export", "item", "sha256"))
        if not isinstance(export_id, str) or not isinstance(number, int):
            raise LabelmeError("was never exported: it lacks the ids that `cli review export` writes")
        export = self._export(export_id)
        item = export.items.get(number)
        if item is None or item.sha256 != sha256:
            raise LabelmeError(f"was never exported: export {export_id} has no such image")
        return export, item

    def _export(self, export_id: str) -> ReviewExport:
        if export_id not in self._exports:
            with reading(self._engine) as session:
                try:
                    self._exports[export_id] = get_export(session, export_id)
                except NotFoundError as error:
                    self._exports[export_id] = error
        found = self._exports[export_id]
        if isinstance(found, NotFoundError):
            raise found
        return found

    def _check_image(
        self, file: Path, edited: LabelmeFile, *, export: ReviewExport, item: ReviewItem, read: bool
    ) -> None:
        """Refuse an image outside the folders, or whose bytes are no longer those shown; a missing one is no harm."""
        target = Path(os.path.abspath(file.parent / posix_path(edited.image_path)))
        roots = (*self._roots, Path(os.path.abspath(os.fsdecode(export.folder))))
        if not any(target.is_relative_to(root) for root in roots):
            raise LabelmeError(
                f"names the image {edited.image_path[:80]!r}, outside the folder (moved? give --images DIR)"
            )
        if not read:
            return
        held = (target, *(root / target.name for root in self._roots))
        digest = next((found for path in held if (found := _content_digest(path)) is not None), None)
        if digest is not None and digest != item.sha256:
            raise LabelmeError(f"its image {target.name} is not the one exported: it changed since")

    def _correction(self, file: Path, found: Comparison, *, export: ReviewExport, item: ReviewItem) -> Correction:
        return Correction(
            sha256=item.sha256,
            label=found.label,
            outcome=found.outcome,
            changes=found.changes,
            reviewer=self._reviewer,
            reviewed_at=_saved_at(file).isoformat(),
            export_id=export.export_id,
            model_version=export.model_version,
        )


def _json_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ImportRefused(f"{folder}: no such folder")
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(".json") and not name.startswith(".")
    ]
    if not found:
        raise ImportRefused(f"{folder}: holds no labelme file (*.json)")
    return sorted(found)


def _roots(folder: Path, images: Path | None) -> tuple[Path, ...]:
    return tuple(Path(os.path.abspath(root)) for root in (folder, images) if root is not None)


def _content_digest(path: Path) -> str | None:
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return None
    digest = hashlib.sha256()
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _saved_at(file: Path) -> datetime:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, tz=UTC)
    except (OSError, OverflowError, ValueError):
        return datetime.now(UTC)


def _one_answer_each(
    answers: Sequence[_Answer], *, folder: Path
) -> tuple[list[tuple[ReviewItem, Correction]], list[str]]:
    """Return one answer for every image, and a line for each image whose files say different things."""
    by_item: dict[int, list[_Answer]] = {}
    for answer in answers:
        if answer.correction is not None:
            by_item.setdefault(answer.item.review_item_id, []).append(answer)
    agreed: list[tuple[ReviewItem, Correction]] = []
    problems: list[str] = []
    for group in by_item.values():
        said = {digest_of(answer.correction): answer for answer in group if answer.correction is not None}
        first, *others = said.values()
        if others:
            names = " and ".join(_shown(answer.file, folder) for answer in (first, *others))
            problems.append(f"{names}: different answers for one image; leave one of them in the folder")
        elif first.correction is not None:
            agreed.append((first.item, first.correction))
    return agreed, problems


def _store(engine: Engine, answers: Sequence[tuple[ReviewItem, Correction]]) -> int:
    added = 0
    for chunk in _chunks(answers):
        try:
            with transaction(engine) as session:
                added += add_corrections(session, chunk)
        except IntegrityError as error:
            raise ImportRefused("another import of the same export ran at the same time; import again") from error
    return added


def _count_duplicates(engine: Engine, answers: Sequence[tuple[ReviewItem, Correction]]) -> int:
    with reading(engine) as session:
        return count_answered_by_duplicates(session, sorted({said.export_id for _, said in answers}))


def _chunks(
    answers: Sequence[tuple[ReviewItem, Correction]],
) -> Iterator[list[tuple[ReviewItem, Correction]]]:
    left = iter(answers)
    while chunk := list(islice(left, FILES_A_TRANSACTION)):
        yield chunk


def _count_outcomes(
    answers: Sequence[_Answer], stored: Sequence[tuple[ReviewItem, Correction]]
) -> dict[CorrectionOutcome, int]:
    found = Counter(correction.outcome for _, correction in stored)
    answered = {answer.item.review_item_id for answer in answers if answer.correction is not None}
    untouched = {answer.item.review_item_id for answer in answers} - answered
    return {**found, CorrectionOutcome.UNTOUCHED: len(untouched)} if untouched else dict(found)


def _shown(file: Path, folder: Path) -> str:
    return os.fsencode(file.relative_to(folder)).decode("utf-8", "backslashreplace")
