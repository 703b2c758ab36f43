"""`python -m bench.faults.die_inside PLACE PROOF COMMAND...`: a command of ours that is killed before its change PLACE.

A change is a statement that changes the database, a file that takes its name, or a member of an archive. PROOF is a
file that says which one it was: who finds it knows that the command was inside. Nothing happens where there are fewer.
"""

from __future__ import annotations

import os
import signal
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

_CHANGES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP")


class _Death:
    def __init__(self, place: int, proof: Path) -> None:
        self._left, self._proof = place, proof

    def come(self, what: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._proof.write_text(what, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, call: Callable[..., Any], what: str) -> Callable[..., Any]:
        def die_or_call(*arguments: Any, **options: Any) -> Any:
            self.come(what)
            return call(*arguments, **options)

        return die_or_call


def main(place: int, proof: Path) -> None:
    """Run the command in this process."""
    death = _Death(place, proof)

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith(_CHANGES):
            death.come(statement.lstrip()[:60])

    event.listen(Engine, "before_cursor_execute", hear)
    os.replace = death.before(os.replace, "a file takes its name")
    tarfile.TarFile.addfile = death.before(tarfile.TarFile.addfile, "a member of an archive")  # type: ignore[method-assign]

    from cli.main import run

    run()


if __name__ == "__main__":
    place, proof = int(sys.argv[1]), Path(sys.argv[2])
    sys.argv = ["cli", *sys.argv[3:]]
    main(place, proof)
