"""Which graphics cards there are, and which worker process gets which one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ASK_CARDS = ("--query-gpu=name,memory.total", "--format=csv,noheader")
_ASK_S = 5.0


def list_cards() -> list[str]:
    """Return name and memory of every NVIDIA card of this machine, in the driver's order."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        asked = subprocess.run(
            [program, *_ASK_CARDS], capture_output=True, text=True, timeout=_ASK_S, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()]


def card_ids(environment: Mapping[str, str], cards: Sequence[str]) -> list[str]:
    """Return what names the cards that may be used: what the environment allows, else all that there are.

    >>> card_ids({"CUDA_VISIBLE_DEVICES": "2,3"}, ["a", "b", "c", "d"]), card_ids({}, ["a", "b"])
    (['2', '3'], ['0', '1'])
    """
    if _VISIBLE in environment:
        return [name.strip() for name in environment[_VISIBLE].split(",") if name.strip()]
    return [str(number) for number in range(len(cards))]


def environment_for(place: int, ids: Sequence[str]) -> dict[str, str]:
    """Return the variables that give the worker process of this place one card of its own; none without cards.

    TensorFlow else takes every card and all of its memory for each process.

    >>> environment_for(3, ["0", "1"])["CUDA_VISIBLE_DEVICES"]
    '1'
    """
    return {_VISIBLE: ids[place % len(ids)], "TF_FORCE_GPU_ALLOW_GROWTH": "true"} if ids else {}
