"""The installed labelme, started on a review folder with our flags and species; run, never imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from annotator.errors import AnnotatorError
from annotator.labelme.marks import FLAGS_NAME, LABELS_NAME, MANIFEST_NAME

PROGRAM_VARIABLE = "TAFFRAIL_LABELME"


class OpenRefused(AnnotatorError):
    """labelme cannot be started, or not on this folder."""


def find_labelme() -> Path:
    """Return the labelme program: the one named by TAFFRAIL_LABELME, beside this Python, or on the PATH.

    Raises:
        OpenRefused: there is none; says how to get it.
    """
    named = os.environ.get(PROGRAM_VARIABLE)
    beside = os.path.join(os.path.dirname(sys.executable), "labelme")
    for found in (shutil.which(named),) if named else (shutil.which(beside), shutil.which("labelme")):
        if found:
            return Path(found)
    if named:
        raise OpenRefused(f"{PROGRAM_VARIABLE}: {named!r} is no program; name labelme's own")
    raise OpenRefused(
        "labelme is not installed here: pip install 'taffrail-fish[review]', or install labelme anywhere and set "
        f"{PROGRAM_VARIABLE} to its program; the folder can also be reviewed on another machine"
    )


def labelme_command(folder: Path, *, program: Path) -> list[str]:
    """Return the command that opens a review folder with its flags and labels.

    Raises:
        OpenRefused: the folder is no review folder.
    """
    home = Path(os.path.abspath(folder))
    if not (home / MANIFEST_NAME).is_file():
        raise OpenRefused(f"{folder}: no review folder ({MANIFEST_NAME} is missing); make one with cli review export")
    labels, flags = str(home / LABELS_NAME), str(home / FLAGS_NAME)
    return [str(program), str(home), "--flags", flags, "--labels", labels, "--validate-label", "exact"]


def open_labelme(folder: Path) -> int:
    """Return labelme's exit code, once the person has closed it.

    Raises:
        OpenRefused: it is not installed, cannot start, or the folder is no review folder.
    """
    command = labelme_command(folder, program=find_labelme())
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        raise OpenRefused(f"{command[0]}: cannot be started ({error.strerror})") from error
