"""A quick review as its page sees it: pages, answers that are stored at once, and what is to be drawn in labelme."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from annotator.quick.answer import QuickAnswer, QuickRefused, Verdict, correction_of
from annotator.quick.page import QuickItem, QuickPage, next_page
from db.domain.species import LabelSet
from db.session import reading, transaction
from db.store.duplicates import count_answered_by_duplicates
from db.store.quick_queue import close_pages
from db.store.reviews import add_corrections, get_export

PAGE_SIZE = 60


class QuickReview:
    """One person's quick review of a job; its methods may be called from several threads.

    decided: answers stored, less those taken back. to_draw: content hashes of images whose boxes need a hand.
    """

    def __init__(
        self, engine: Engine, job_id: int, *, label_set: LabelSet, reviewer: str, page_size: int = PAGE_SIZE
    ) -> None:
        self.job_id = job_id
        self.label_set = label_set
        self.reviewer = reviewer
        self._engine = engine
        self._page_size = page_size
        self._pages: dict[str, QuickPage] = {}
        self._last: QuickPage | None = None
        self._decided: set[tuple[str, int]] = set()
        self._to_draw: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def decided(self) -> int:
        """How many images were decided on."""
        return len(self._decided)

    def count_duplicates(self) -> int:
        """Return how many images more are answered by what was decided here, because they show the same.

        Raises:
            DatabaseError: the store cannot be used.
        """
        with reading(self._engine) as session:
            return count_answered_by_duplicates(session, list(self._pages))

    @property
    def to_draw(self) -> tuple[str, ...]:
        """The content hashes of images that were set aside for labelme, in that order."""
        return tuple(self._to_draw)

    def page(self, *, anew: bool) -> QuickPage:
        """Return the images to look at, which nobody else is shown for a while.

        anew: the next ones; else what is left of the page that was shown last (its tab was closed or loaded again).
        """
        with self._lock:
            left = self._left_of(self._last) if self._last is not None and not anew else None
            if left is None or not left.items:
                left = next_page(self._engine, self.job_id, size=self._page_size)
                self._pages[left.export_id] = left
                self._last = left
        return left

    def close(self) -> None:
        """Let others have what was shown and not answered.

        Raises:
            DatabaseError: the store cannot be used; others are shown those images after a while all the same.
        """
        with self._lock, transaction(self._engine) as session:
            close_pages(session, list(self._pages))

    def _left_of(self, page: QuickPage) -> QuickPage:
        left = {number: item for number, item in page.items.items() if (page.export_id, number) not in self._decided}
        return replace(page, items=left)

    def item(self, export_id: str, number: int) -> QuickItem | None:
        """Return an image that was shown, None where there is no such one."""
        page = self._pages.get(export_id)
        return page.items.get(number) if page is not None else None

    def answer(self, export_id: str, answers: Sequence[QuickAnswer]) -> int:
        """Store answers, all or none, and return how many were new.

        Raises:
            QuickRefused: an image was never shown, or an answer says nothing that can be stored.
            NotFoundError, DatabaseError: the store does not know the page, or cannot be used.
        """
        with self._lock:
            with reading(self._engine) as session:
                export = get_export(session, export_id)
            now = datetime.now(UTC)
            corrections = []
            for answer in answers:
                item = export.items.get(answer.number)
                if item is None:
                    raise QuickRefused(f"image {answer.number}: was not shown on this page")
                said = correction_of(answer, item, export, label_set=self.label_set, reviewer=self.reviewer, now=now)
                corrections.append((item, said))
            try:
                with transaction(self._engine) as session:
                    added = add_corrections(session, corrections)
            except IntegrityError as error:
                raise QuickRefused("these images were answered elsewhere at the same moment; answer again") from error
            for answer in answers:
                change = self._decided.discard if answer.verdict is Verdict.WITHDRAW else self._decided.add
                change((export_id, answer.number))
        return added

    def set_aside(self, export_id: str, number: int) -> None:
        """Remember an image for labelme: a box is missing or wrong.

        Raises:
            QuickRefused: it was not shown.
        """
        item = self.item(export_id, number)
        if item is None:
            raise QuickRefused(f"image {number}: was not shown on this page")
        self._to_draw[item.item.sha256] = None
