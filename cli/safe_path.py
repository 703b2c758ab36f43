"""Keeps the folder that a command is typed in out of what Python imports: it may be a stranger's."""

from __future__ import annotations

import os
import sys


def forget_working_folder() -> None:
    """Take the working folder off the search path, unless the program itself lies there.

    It is on it by `python -m`, and by an empty entry of PYTHONPATH.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        here = os.getcwd()
    except FileNotFoundError:  # the folder was removed meanwhile; then nothing in it can be imported
        return
    if here != ours:
        sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]


def keep_children_out() -> None:
    """Let no Python that is started from here on look into its working folder, whoever starts it.

    Pools of processes and labelme are started by others' code, as `python -c` or by a script, from the caller's folder.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(place)]
    # Never an empty value: an empty or relative entry means the working folder.
    if places:
        os.environ["PYTHONPATH"] = os.pathsep.join(places)
    else:
        os.environ.pop("PYTHONPATH", None)
