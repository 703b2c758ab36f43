"""Every command says what it does, and docs/commands.md is what the commands say of themselves."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest
from typer.models import ArgumentInfo, OptionInfo

from cli.commands_page import Command, commands_of, commands_page
from cli.main import app

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
COMMANDS = [pytest.param(command, id=command.name) for command in commands_of(app)]
# Of these a help may begin; a new command with another verb adds it here.
VERBS = (
    "Add Answer Apply Ask Audit Bring Calibrate Cancel Check Compare Correct Count Draw Evaluate Explain Export Find "
    "Fit Give Go Import Infer Evaluate Learn Let List Look Make Mark Measure Merge Move Name Open Plan Predict Promote "
    "Put Queue Read Register Remove Rename Report Restore Retrain Run Save Say Send Serve Set Show Split Start Stop "
    "Store Take Tell Test Train Turn Update Verify Watch Write"
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_starts_with_a_verb_and_every_option_has_words(command: Command) -> None:
    parameters = inspect.signature(command.callback, eval_str=True).parameters.values()
    infos = [mark for one in parameters for mark in typing.get_args(one.annotation)[1:]]

    assert command.help.split()[0] in VERBS.split()
    assert all(info.help for info in infos if isinstance(info, ArgumentInfo | OptionInfo))
    assert len(infos) == len(list(parameters))


def test_the_page_of_commands_is_current() -> None:
    written = PAGE.read_text(encoding="utf-8")

    assert written == commands_page(app), "docs/commands.md is old: run `make docs`"


def test_the_commands_of_the_design_are_there() -> None:
    names = {command.name for command in commands_of(app)}

    wanted = "demo sample train enqueue worker status resume retry cancel results report doctor"
    assert {f"cli {name}" for name in wanted.split()} <= names
