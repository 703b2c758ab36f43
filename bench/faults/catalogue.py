"""What a fault is, and the list that the modules of faults add theirs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.faults.ledger import Entry
from bench.faults.site import Site

Expected = Mapping[str, Entry]
Deed = Callable[[Site], Expected | None]
"""Does the fault to a site; returns the entries that shall differ from the quiet run's."""


@dataclass(frozen=True)
class Fault:
    """One thing that happens to a run. redis: its options, None for the embedded broker. quick: part of `make test`.

    made: how many labels, corrections and promotions there are at the end; none of what is not named.
    leaves_orphans: an image is changed between its inference and its commit, so crops of the old one stay.
    """

    name: str
    deed: Deed
    databases: Sequence[str] = ("sqlite", "postgres")
    redis: Sequence[str] | None = ()
    quick: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    small_disk_mib: int | None = None
    leaves_orphans: bool = False
    made: Mapping[str, int] = field(default_factory=dict)


FAULTS: list[Fault] = []


def fault(name: str, **options: object) -> Callable[[Deed], Deed]:
    """Add a function to the list under the name that its row shows."""

    def add(deed: Deed) -> Deed:
        FAULTS.append(Fault(name, deed, **options))  # type: ignore[arg-type]
        return deed

    return add
