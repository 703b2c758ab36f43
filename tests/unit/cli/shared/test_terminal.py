"""Nothing that comes from a file steers a terminal, and every letter can be told."""

from __future__ import annotations

import io
import sys

import pytest
import typer
from rich.console import Console
from rich.text import Text

from cli.shared.terminal import EscapingText, Lets, coloured, make_output_safe


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
        "\x1b[31m",
        "\x1b[1;31;8m",
        "\u200b",
        "\u2060",
        "\ufeff",
        "\u00ad",
        "\U000e0041",
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_what_steers_a_terminal_is_shown_instead(steering: str, terminal: bool) -> None:
    written = _written(f"species {steering} of a file\n", terminal=terminal)

    assert written.startswith((r"species \x", r"species \u", r"species \U"))
    assert not any(char in written for char in steering if not char.isprintable())


def test_our_own_colours_reach_a_terminal_and_nothing_else() -> None:
    red = coloured("left out: \x1b[32mx", fg=typer.colors.RED)

    assert _written(red, terminal=True) == "\x1b[31mleft out: \\x1b[32mx\x1b[0m"
    assert _written(red) == r"left out: \x1b[32mx"


def test_what_typer_takes_off_where_nobody_looks_is_a_colour_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    typer.echo(coloured("red", fg=typer.colors.RED, bold=True))

    assert capsys.readouterr().out == "red\n"


def test_a_bar_may_move_but_not_reset_the_terminal() -> None:
    assert _written("\x1b[2K\x1b[1A\r\x1b[?25l", terminal=True, lets=Lets.BARS) == "\x1b[2K\x1b[1A\r\x1b[?25l"
    assert _written("\x1bc", terminal=True, lets=Lets.BARS) == r"\x1bc"


def test_help_is_coloured_and_an_error_with_what_was_typed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {name: _Terminal() for name in ("stdout", "stderr")}
    held = {name: io.TextIOWrapper(raw, encoding="utf-8") for name, raw in shown.items()}
    for name, stream in held.items():
        monkeypatch.setattr(sys, name, stream)
    make_output_safe()

    for stderr in (False, True):
        console = Console(stderr=stderr, color_system="standard", force_terminal=None)
        console.print(Text("no option \x1b[32m", style="red"))

    assert shown["stdout"].getvalue().startswith(b"\x1b[31m")
    assert b"\x1b" not in shown["stderr"].getvalue()


def test_no_line_on_a_terminal_is_endless_and_documents_in_a_pipe_are_whole() -> None:
    assert len(_written("x" * 100_000, terminal=True)) < 5_000
    assert _written("x" * 100_000) == "x" * 100_000


def test_a_name_that_is_not_utf_8_is_told() -> None:
    assert _written(b"a\xff.jpg".decode("utf-8", "surrogateescape")) == r"a\udcff.jpg"


def _written(text: str, *, encoding: str = "utf-8", terminal: bool = False, lets: Lets = Lets.NOTHING) -> str:
    raw = _Terminal() if terminal else io.BytesIO()
    inner = io.TextIOWrapper(raw, encoding=encoding)
    EscapingText(inner, lets=lets).write(text)  # gone at once: what it wrote to stays open
    inner.flush()
    return raw.getvalue().decode(encoding)
