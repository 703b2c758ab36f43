"""What a command says, made safe for a terminal: no character of a file, label or log steers it, none is a traceback.

Standard output and error are replaced once, at the start: so no command can forget it.
"""

from __future__ import annotations

import io
import re
import secrets
import sys
from enum import StrEnum
from typing import TextIO, cast

import typer

# Control characters but line break and tab, line ends that are none, and what turns the direction of writing or takes
# no room: by these two names look alike that are not.
_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f"
)
_STEERS = re.compile(f"[{_STEERING}]")
# A colour of ours begins with a number that no file can know; what a file has of colours is shown as it is written.
_OURS = str(10**8 + secrets.randbelow(9 * 10**8))
_OUR_COLOUR = rf"\x1b\[{_OURS};([0-9;]+)m"
_LONGEST_LINE = 4000
_COLOURS = {
    typer.colors.RED: "31",
    typer.colors.GREEN: "32",
    typer.colors.YELLOW: "33",
    typer.colors.CYAN: "36",
}


class Lets(StrEnum):
    """Which sequences of a text go through to a terminal, besides the colours of `coloured`."""

    NOTHING = r"(?!)"
    COLOURS = r"\x1b\[[0-9;]*m"
    # A bar goes up a line, clears it and hides the cursor meanwhile.
    BARS = r"\x1b\[(?:[0-9;]*m|[0-9]*A|2K|\?25[lh])|\r"


class EscapingText(io.TextIOWrapper):
    """A text stream that shows as `\\x1b` what would steer a terminal, and as `\\u0443` what its letters lack.

    On a terminal our own colours, and what `lets` names, go through, and no line is endless.
    rich_proxied_file: what rich writes to instead of this.
    """

    def __init__(self, stream: TextIO, *, lets: Lets = Lets.NOTHING, rich_file: TextIO | None = None) -> None:
        super().__init__(
            stream.buffer, encoding=stream.encoding, errors="backslashreplace", line_buffering=True, write_through=True
        )
        self._shown = stream.isatty()
        self._parts = re.compile(f"{_OUR_COLOUR}|({lets if self._shown else Lets.NOTHING})|([{_STEERING}])")
        self.rich_proxied_file = rich_file or self

    def write(self, text: str) -> int:
        """Write a text with its steering characters escaped; return its own length."""
        if _STEERS.search(text):
            text = self._parts.sub(self._safe, text)
        super().write(_cut(text) if self._shown and len(text) > _LONGEST_LINE else text)
        return len(text)

    def close(self) -> None:
        """Leave the stream open: it is the process's, and a bar that is over must not take it along."""
        self.flush()

    def _safe(self, found: re.Match[str]) -> str:
        ours, let_through, char = found.groups()
        if ours is not None:
            return f"\x1b[{ours}m" if self._shown else ""
        return let_through or _escaped(char)


class _Uncoloured(EscapingText):
    """What rich writes an error to: it holds what was typed, so its colours cannot be told from ours."""

    def isatty(self) -> bool:
        return False


def coloured(text: str, *, fg: str | None = None, bold: bool = False) -> str:
    """Return a text that a terminal shows in a colour, whatever it holds itself. fg: a name of `typer.colors`."""
    codes = [*(["1"] if bold else []), *([_COLOURS[fg]] if fg else [])]
    return f"\x1b[{_OURS};{';'.join(codes)}m{text}\x1b[{_OURS};0m" if codes else text


def say(text: str, *, fg: str | None = None, bold: bool = False, err: bool = False) -> None:
    """Print a line in a colour. Use it instead of `typer.secho`, whose colours a file could have written as well."""
    typer.echo(coloured(text, fg=fg, bold=bold), err=err)


def make_output_safe() -> None:
    """Replace this process's standard output and error."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, EscapingText):
            stream.flush()
            text = cast(TextIO, stream)
            # Help is all ours, and goes to standard output.
            rich = EscapingText(text, lets=Lets.COLOURS) if name == "stdout" else _Uncoloured(text)
            setattr(sys, name, EscapingText(text, rich_file=rich))


def bar_stream() -> TextIO:
    """Return standard error for a progress bar, whose own movements go through."""
    stream = sys.__stderr__
    return EscapingText(cast(TextIO, stream), lets=Lets.BARS) if isinstance(stream, io.TextIOWrapper) else sys.stderr


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str) -> str:
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ... ({len(line) - _LONGEST_LINE} more)"
        for line in text.split("\n")
    )
