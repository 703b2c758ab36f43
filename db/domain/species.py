"""The label set: which species a project knows, in the order of every species axis."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from db.errors import TaffrailError

NO_FISH = "NoF"
# What label files of all kinds call an image, or a box, without a fish.
NO_FISH_ALIASES = frozenset({"no fish", "nofish", "no-fish", "no_fish", "none", "empty", "background", "blank"})
MOST_CHARACTERS = 64


class UnknownSpecies(TaffrailError):
    """A label is not in the label set."""


@dataclass(frozen=True)
class LabelSet:
    """The species of a project; the order is the order of every species axis.

    aliases: other names of these species, in small letters, by which files may call them.

    Raises:
        ValueError: no species, a doubled species, or `NoF` missing.
    """

    names: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

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

    def named(self, written: str) -> str | None:
        """Return the species that a text means, whatever its case; None where there is none.

        >>> DEFAULT_LABEL_SET.named(" yft"), DEFAULT_LABEL_SET.named("No Fish"), DEFAULT_LABEL_SET.named("cod")
        ('YFT', 'NoF', None)
        """
        wanted = written.strip().lower()
        known = {name.lower(): name for name in self.names}
        if wanted in known:
            return known[wanted]
        return self.aliases.get(wanted, NO_FISH if wanted in NO_FISH_ALIASES else None)

    @property
    def fish(self) -> tuple[str, ...]:
        """The species that are fish: all but `NoF`."""
        return tuple(name for name in self.names if name != NO_FISH)


DEFAULT_LABEL_SET = LabelSet(("ALB", "BET", "DOL", "LAG", "NoF", "OTHER", "SHARK", "YFT"))


def label_set_of_names(written: Iterable[str]) -> LabelSet:
    """Return the label set of some names in their order: each once whatever its case, and `NoF` for no fish.

    Raises:
        ValueError: a name that cannot be one; says why.

    >>> label_set_of_names(("cod", "Cod", "background", "hake")).names
    ('cod', 'hake', 'NoF')
    """
    found = LabelSet((NO_FISH,))
    for name in written:
        if found.named(name) is None:
            found = LabelSet((*found.names, checked_name(name)))
    return LabelSet((*found.fish, NO_FISH))


def checked_name(written: str) -> str:
    """Return a species' name without spaces around it.

    Raises:
        ValueError: it is empty, too long, or holds a comma or what cannot be shown.
    """
    if not may_name(written):
        raise ValueError(_no_name_text(written))
    return written.strip()


def may_name(written: str) -> bool:
    """Return whether a text can name a species.

    >>> may_name("Thunnus alalunga"), may_name("a, b"), may_name(" "), may_name("a\\x1b[31m")
    (True, False, False, False)
    """
    name = written.strip()
    return bool(name) and len(name) <= MOST_CHARACTERS and "," not in name and name.isprintable()


def _no_name_text(written: str) -> str:
    wanted = f"1 to {MOST_CHARACTERS} letters that can be shown, and no comma"
    return f"{written[:80]!r} is no name of a species; wanted {wanted}"


def unknown_species_text(name: str, label_set: LabelSet) -> str:
    """Return what is wrong with a label: that it can be no name, or the nearest known one.

    >>> unknown_species_text("YTF", DEFAULT_LABEL_SET)
    "'YTF' is not a known species (did you mean YFT?)"
    """
    if not may_name(name):
        return _no_name_text(name)
    by_lower = {known.lower(): known for known in label_set.names}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.4)
    hint = f"did you mean {by_lower[near[0]]}?" if near else f"known: {', '.join(label_set.names)}"
    return f"{name!r} is not a known species ({hint})"
