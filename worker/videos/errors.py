"""Why a video gives no frames, or no more of them."""

from __future__ import annotations

from db.domain.unreadable import UnreadableReason
from db.errors import TaffrailError


class UnreadableVideo(TaffrailError):
    """A video, or a part of one, that gives no frame; `text` says more than the reason, the message is one line."""

    def __init__(self, reason: UnreadableReason, text: str) -> None:
        super().__init__(f"{reason}: {text}" if text else str(reason))
        self.reason, self.text = reason, text
