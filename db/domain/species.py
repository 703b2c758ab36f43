"""The label set: which species a project knows, in the order of every species axis."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from db.errors import TaffrailError

NO_FISH = "NoF"


class UnknownSpecies(TaffrailError):
    """A label is not in the label set."""


@dataclass(frozen=True)
class LabelSet:
    """The species of a project; the order is the order of every species axis.

    Raises:
        ValueError: no species, a doubled species, or `NoF` missing.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"label set names a species twice: {', '.join(self.names)}")
        if NO_FISH not in self.names:
            raise ValueError(f"label set lacks {NO_FISH!r}, the label of an image without fish")

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def index(self, name: str) -> int:
        """Return the place of a species on the species axis.

        >>> DEFAULT_LABEL_SET.index("BET")
        1
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise UnknownSpecies(unknown_species_text(name, self)) from None

    @property
    def fish(self) -> tuple[str, ...]:
        """The species that are fish: all but `NoF`."""
        return tuple(name for name in self.names if name != NO_FISH)


DEFAULT_LABEL_SET = LabelSet(("ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT"))


def unknown_species_text(name: str, label_set: LabelSet) -> str:
    """Return what is wrong with a label, with the nearest known one.

    >>> unknown_species_text("YTF", DEFAULT_LABEL_SET)
    "'YTF' is not a known species (did you mean YFT?)"
    """
    by_lower = {known.lower(): known for known in label_set.names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.4)
    hint = f"did you mean {by_lower[near[0]]}?" if near else f"known: {', '.join(label_set.names)}"
    return f"{name!r} is not a known species ({hint})"
