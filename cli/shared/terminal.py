"""What a command says, made safe for a terminal: no character of a file, label or log steers it, none is a traceback.

Standard output and error are replaced once, at the start: so no command can forget it.
"""

from __future__ import annotations

import io
import re
import sys
from typing import TextIO, cast

# Control characters but line break and tab, those that turn the direction of writing, and line ends that are none.
_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_STEERS = re.compile(f"[{_STEERING}]")
# What our own colours and bars are made of; a bar goes up a line, clears it and hides the cursor meanwhile.
_COLOURS = r"\x1b\[[0-9;]*m"
_BARS = r"\x1b\[(?:[0-9;]*m|[0-9]*A|2K|\?25[lh])|\r"
_LONGEST_LINE = 4000


class EscapingText(io.TextIOWrapper):
    """A text stream that shows as `\\x1b` what would steer a terminal, and as `\\u0443` what its letters lack.

    On a terminal colours (and, for a bar's own stream, its movements) go through, and no line is endless.
    """

    def __init__(self, stream: TextIO, *, bars: bool = False) -> None:
        super().__init__(
            stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True, write_through=True
        )
        self._shown = stream.isatty()
        kept = _BARS if bars else _COLOURS
        self._parts = re.compile(f"({kept})|([{_STEERING}])" if self._shown else f"(?!)()|([{_STEERING}])")

    def write(self, text: str) -> int:
        """Write a text with its steering characters escaped; return its own length."""
        if _STEERS.search(text):
            text = self._parts.sub(lambda found: found[1] or _escaped(found[2]), text)
        super().write(_cut(text) if self._shown and len(text) > _LONGEST_LINE else text)
        return len(text)

    def close(self) -> None:
        """Leave the stream open: it is the process's, and a bar that is over must not take it along."""
        self.flush()


def make_output_safe() -> None:
    """Replace this process's standard output and error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, EscapingText):
            stream.flush()
            setattr(sys, name, EscapingText(cast(TextIO, stream)))


def bar_stream() -> TextIO:
    """Return standard error for a progress bar, whose own movements go through."""
    stream = sys.__stderr__
    return EscapingText(cast(TextIO, stream), bars=True) if isinstance(stream, io.TextIOWrapper) else sys.stderr


def _escaped(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"


def _cut(text: str) -> str:
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ... ({len(line) - _LONGEST_LINE} more)"
        for line in text.split("\n")
    )
