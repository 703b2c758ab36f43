"""Named points at which a bench or a test makes a worker die, hang, grow or dawdle; inert unless asked.

`TAFFRAIL_FAIL_AT` is read once, when a process starts. Its rules are separated by commas:
`POINT[/FILE NAME]=ACTION[:ARGUMENT]`, for instance `inferred=pause:0.2,decoding/0007.jpg=kill`.
Points: `claimed` (the batch is ours), `loading` (a model is about to be loaded), `decoding` (one image's bytes were
read), `inferred` (crops are written, nothing is committed), `committed` (the results are stored, the message's end is
not told).
Actions: `kill` (as by kill -9), `hang` (for ever), `eat` (memory, up to a bound), each as often as the folder
ARGUMENT holds files, or always without one; `pause` (ARGUMENT seconds, always); `tell` (takes a file out of the folder
ARGUMENT, so that who looks there knows that the point was reached).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

_EATEN_AT_MOST = 3 * 2**30  # a machine without any memory limit must survive its own bench
_MOUTHFUL = 32 * 2**20


class Action(StrEnum):
    """What happens at a fail point."""

    KILL = "kill"
    HANG = "hang"
    EAT = "eat"
    PAUSE = "pause"
    TELL = "tell"


@dataclass(frozen=True)
class Rule:
    """One thing that shall go wrong. name: only for the file of this name. argument: seconds, or a folder of tokens."""

    point: str
    name: bytes | None
    action: Action
    argument: str | None


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a TAFFRAIL_FAIL_AT value.

    >>> parse_rules("decoding/a.jpg=kill")
    (Rule(point='decoding', name=b'a.jpg', action=<Action.KILL: 'kill'>, argument=None),)
    """
    return tuple(_parse_rule(rule) for rule in text.split(",") if rule.strip())


def fail_point(point: str, path: bytes | None = None) -> None:
    """Let go wrong here what was asked for; nothing otherwise. path: the image at hand, where it is one image's."""
    for rule in _RULES:
        if rule.point == point and rule.name in (None, os.path.basename(path or b"")):
            _happen(rule)


def _parse_rule(rule: str) -> Rule:
    place, _, what = rule.strip().partition("=")
    point, _, name = place.partition("/")
    action, _, argument = what.partition(":")
    return Rule(point, os.fsencode(name) or None, Action(action), argument or None)


def _happen(rule: Rule) -> None:
    if rule.action is Action.PAUSE:
        time.sleep(float(rule.argument or 0))
    elif rule.argument is None or _take_token(rule.argument):
        _DEEDS[rule.action]()


def _take_token(folder: str) -> bool:
    """Return whether one more failure was allowed; a removed file is a count that all processes share."""
    for name in os.listdir(folder):
        try:
            os.unlink(os.path.join(folder, name))
        except FileNotFoundError:  # another process was faster
            continue
        return True
    return False


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    while True:
        time.sleep(3600)


def _eat() -> None:
    eaten = [bytearray(_MOUTHFUL)]
    while len(eaten) * _MOUTHFUL < _EATEN_AT_MOST:
        eaten.append(bytearray(os.urandom(4096)) * (_MOUTHFUL // 4096))
    _hang()


_DEEDS: dict[Action, Callable[[], None]] = {
    Action.KILL: _kill,
    Action.HANG: _hang,
    Action.EAT: _eat,
    Action.TELL: lambda: None,
}
_RULES = parse_rules(os.environ.get("TAFFRAIL_FAIL_AT", ""))
