"""Nothing that comes from a file steers a terminal, and every letter can be told."""

from __future__ import annotations

import io

import pytest

from cli.shared.terminal import EscapingText


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_letters_that_the_locale_lacks_are_escaped() -> None:
    assert _written("уловы é", encoding="latin-1") == r"\u0443\u043b\u043e\u0432\u044b é"


@pytest.mark.parametrize(
    "steering",
    [
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\x1bc",
        "\x9b2J",
        "\x08",
        "\x7f",
        "\r",
        "\u202e",
        "\u2066",
        "\u2028",
        "\x1b]8;;x\x1b\\",
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_what_steers_a_terminal_is_shown_instead(steering: str, terminal: bool) -> None:
    written = _written(f"species {steering} of a file\n", terminal=terminal)

    assert written.startswith(r"species \x") or written.startswith(r"species \u")
    assert not any(char in written for char in steering if not char.isprintable())


def test_our_own_colours_reach_a_terminal_and_nothing_else() -> None:
    assert _written("\x1b[31mred\x1b[0m", terminal=True) == "\x1b[31mred\x1b[0m"
    assert "\x1b" not in _written("\x1b[31mred\x1b[0m")


def test_a_bar_may_move_but_not_reset_the_terminal() -> None:
    assert _written("\x1b[2K\x1b[1A\r\x1b[?25l", terminal=True, bars=True) == "\x1b[2K\x1b[1A\r\x1b[?25l"
    assert _written("\x1bc", terminal=True, bars=True) == r"\x1bc"


def test_no_line_on_a_terminal_is_endless_and_documents_in_a_pipe_are_whole() -> None:
    assert len(_written("x" * 100_000, terminal=True)) < 5_000
    assert _written("x" * 100_000) == "x" * 100_000


def test_a_name_that_is_not_utf_8_is_told() -> None:
    assert _written(b"a\xff.jpg".decode("utf-8", "surrogateescape")) == r"a\udcff.jpg"


def _written(text: str, *, encoding: str = "utf-8", terminal: bool = False, bars: bool = False) -> str:
    raw = _Terminal() if terminal else io.BytesIO()
    inner = io.TextIOWrapper(raw, encoding=encoding)
    EscapingText(inner, bars=bars).write(text)  # gone at once: what it wrote to stays open
    inner.flush()
    return raw.getvalue().decode(encoding)
