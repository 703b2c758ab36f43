"""What a box's score means: the chance that it shows a fish, as fitted on cameras that the model did not learn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_TINY = 1e-6
# A frame rarely shows more fish; a box beyond them must be one in four to be a fish.
MOST_UNLIKELY = 3
MORE_AT_LEAST = 0.25


@dataclass(frozen=True)
class BoxConfidence:
    """A logistic curve from scores to chances. at_least: boxes of a smaller chance cannot matter and are not kept.

    boxes, images, cameras: what it was fitted on; 0 is the curve that every fit begins with.
    """

    slope: float
    offset: float
    at_least: float
    boxes: int = 0
    images: int = 0
    cameras: int = 0

    def of(self, score: float) -> float:
        """Return the chance that a box of this score shows a fish, 0..1.

        >>> BoxConfidence(slope=1.0, offset=0.0, at_least=0.1).of(0.25)
        0.25
        """
        inside = min(max(score, _TINY), 1.0 - _TINY)
        return 1.0 / (1.0 + math.exp(-(self.slope * math.log(inside / (1.0 - inside)) + self.offset)))

    def shifted(self, shift: float) -> BoxConfidence:
        """Return the curve of a camera whose boxes' log odds differ by so much.

        >>> BoxConfidence(slope=1.0, offset=0.0, at_least=0.1).shifted(math.log(3.0)).of(0.5)
        0.75
        """
        return replace(self, offset=self.offset + shift)

    def keeps(self, chance: float, *, before: int) -> bool:
        """Return whether a box matters. before: how many surer ones of its image do.

        An image's first boxes are told by their rank, not by a level: on a camera never seen all scores may be low.

        >>> curve = BoxConfidence(slope=1.0, offset=0.0, at_least=0.05)
        >>> curve.keeps(0.1, before=2), curve.keeps(0.1, before=3), curve.keeps(0.01, before=0)
        (True, False, False)
        """
        return chance >= (self.at_least if before < MOST_UNLIKELY else MORE_AT_LEAST)


# On five real cameras boxes on fish scored 0.15 to 0.59 and others 0.02 to 0.08; the best thresholds lay between 0.09
# and 0.40 (docs/detector.md). Where nothing is known of a model, a score of 0.2 is as likely a fish as not.
UNFITTED = BoxConfidence(slope=1.2, offset=1.2 * math.log(4.0), at_least=0.01)
