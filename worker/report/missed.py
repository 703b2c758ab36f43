"""How many images are wrong that nobody is asked about, as a report says it."""

from __future__ import annotations

from dataclasses import dataclass

from db.domain.estimates import Estimate


@dataclass(frozen=True)
class MissedImages:
    """What is known of a model's images that are not flagged, in all jobs: it is the model that is right or wrong.

    answers: of people, on those of them that were drawn by chance. needed: how many are the least for a share.
    share: of them that are wrong, 0..1, with its 95 % interval; None before there are enough answers.
    out_of_reach: images of kinds from which none was drawn; the share says nothing of them.
    """

    model_version: str
    unflagged: int
    answers: int
    needed: int
    share: Estimate | None
    out_of_reach: int = 0


def missed_words(found: MissedImages) -> str:
    """Return what people are told.

    >>> missed_words(MissedImages("m1", 900, 100, 5, Estimate(0.02, 0.0024, 0.0704)))[:78]
    'of the images that are not flagged, in all jobs of the model, 2.0% are wrong ('
    """
    if found.share is None:
        return (
            f"how many of the {found.unflagged:,} images that are not flagged, in all jobs of the model, are wrong is "
            f"not known yet: {found.answers} answers of the random share, at least {found.needed} are needed"
        )
    said = (
        f"of the images that are not flagged, in all jobs of the model, {found.share.value:.1%} are wrong (95 % "
        f"interval {found.share.low:.1%} to {found.share.high:.1%}; {found.answers} drawn by chance were looked at)"
    )
    beyond = f"; nothing is known of {found.out_of_reach:,} of them, of kinds from which none was drawn"
    return said + (beyond if found.out_of_reach else "")
