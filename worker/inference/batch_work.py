"""A batch on its way through the pipeline: what is decoded for it, what has the same bytes, what came of each file."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Queue

from db.domain.jobs import Claim
from db.domain.outcomes import ItemOutcome, SeenImage
from worker.images.errors import OF_THE_BYTES
from worker.inference.load_image import HashedFile, LoadedImage

Asked = tuple[str, str]
"""A content's hash and the parameters that it is asked with."""
Load = LoadedImage | ItemOutcome


@dataclass(frozen=True, eq=False)
class FileLoad:
    """A file that is being decoded, and what is asked of it."""

    file: HashedFile
    asked: Asked
    result: Future[Load]


@dataclass(eq=False)
class BatchWork:
    """A batch on its way. loads: in order, None ends them. asked: what is decoded for this batch."""

    claim: Claim
    loads: Queue[FileLoad | None]
    asked: set[Asked] = field(default_factory=set)
    duplicates: list[tuple[HashedFile, Asked]] = field(default_factory=list)
    faults: dict[Asked, ItemOutcome] = field(default_factory=dict)
    answered: set[Asked] = field(default_factory=set)
    outcomes: list[ItemOutcome] = field(default_factory=list)
    finishing: list[Future[list[ItemOutcome]]] = field(default_factory=list)
    error: Exception | None = None
    ended: bool = False

    def next_load(self) -> FileLoad | None:
        """Wait for the next image, None after the last one."""
        load = self.loads.get()
        self.ended = load is None
        return load

    def take(self, loaded: Load, asked: Asked) -> LoadedImage | None:
        """Return an image for the network, after noting what its bytes say of the files that have the same ones."""
        if isinstance(loaded, ItemOutcome):
            self.outcomes.append(loaded)
            if loaded.reason in OF_THE_BYTES:
                self.faults[asked] = loaded
            return None
        if loaded.image.sha256 == asked[0]:  # else it was changed between its two readings, and speaks for itself only
            self.answered.add(asked)
        return loaded

    def orphan(self) -> tuple[HashedFile, Asked] | None:
        """Return a duplicate of a file that changed or went while it was read: it must be looked at itself."""
        for place, (_, asked) in enumerate(self.duplicates):
            if asked not in self.answered and asked not in self.faults:
                return self.duplicates.pop(place)
        return None

    def all_outcomes(self) -> list[ItemOutcome]:
        """Return what became of every file, once the network and the crops are done; waits for them, unless it failed.

        Raises:
            Exception: what the batch failed with.
        """
        if self.error is not None:
            raise self.error
        finished = [outcome for future in self.finishing for outcome in future.result()]
        if self.error is not None:  # said meanwhile
            raise self.error
        return self.outcomes + finished + [self._of_duplicate(file, asked) for file, asked in self.duplicates]

    def _of_duplicate(self, file: HashedFile, asked: Asked) -> ItemOutcome:
        """Return what becomes of a file with the bytes of another: the same prediction, or the same fault."""
        if asked in self.faults:
            return replace(self.faults[asked], item_id=file.item.item_id, file_id=file.item.file_id)
        return done_already(file, asked)


def done_already(file: HashedFile, asked: Asked) -> ItemOutcome:
    """Return the outcome of a file whose content has its prediction."""
    return ItemOutcome(file.item.item_id, file.item.file_id, image=SeenImage(file.sha256), parameters=asked[1])
