"""The embedded broker: messages as files in HOME, each whole from its first moment and readable by its owner only."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem

from db.whole_files import whole_file

SCHEME = "taffrail-files"


class Channel(filesystem.Channel):
    """Kombu's channel over a folder, but for how a message and a binding come into being."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # its bases differ
        # Named as Kombu's own, which takes the oldest first and looks at the name's end for the queue.
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        file = os.path.join(self.data_folder_out, name)
        try:
            with whole_file(Path(file), synced=False, private=True) as draft:
                draft.write_bytes(json.dumps(payload).encode())
        except OSError as error:
            raise ChannelError(f"{file}: cannot be written ({error.strerror})") from error

    def _queue_bind(self, exchange: str, *args: Any) -> None:
        super()._queue_bind(exchange, *args)  # type: ignore[no-untyped-call]
        with contextlib.suppress(OSError):  # another user's, who shares this HOME
            self._exchange_file(exchange).chmod(0o600)  # type: ignore[no-untyped-call]


class Transport(filesystem.Transport):
    """Kombu's transport with the channel above."""

    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
