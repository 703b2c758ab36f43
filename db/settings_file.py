"""The settings file: `settings.toml` in HOME, or the one that TAFFRAIL_SETTINGS or `--settings` names."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection
from pathlib import Path

from db.errors import SettingsError

NAME = "settings.toml"
VARIABLE = "TAFFRAIL_SETTINGS"


def named_settings_file() -> Path | None:
    """Return the file that the variable names, None where it names none.

    Raises:
        SettingsError: it is not there.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named).expanduser().absolute()
    if not path.is_file():
        raise SettingsError(f"{VARIABLE} {path}: there is no such file")
    return path


def read_settings_file(path: Path, *, known: Collection[str]) -> dict[str, object]:
    """Return the settings of a file by name; a list of texts is one text with commas.

    known: the names that are settings.
    Raises:
        SettingsError: it cannot be read, is no TOML, or has a key that is no setting.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is no TOML: {error}") from None
    return {name: _plain(path, name, value, known=known) for name, value in found.items()}


def _plain(path: Path, name: str, value: object, *, known: Collection[str]) -> object:
    if name not in known:
        near = difflib.get_close_matches(name.lower().removeprefix("taffrail_"), known, n=1)
        hint = f"did you mean {near[0]}?" if near else "docs/deployment.md lists them"
        raise SettingsError(f"{path}: {name!r} is no setting; {hint}")
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    if not isinstance(value, str | int | float):
        raise SettingsError(f"{path}: {name} is a {type(value).__name__}; wanted a text or a number")
    return value
