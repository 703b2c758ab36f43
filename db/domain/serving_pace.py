"""How a machine serves a model version fastest: how many images a network call takes, how many threads decode."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

# A larger network call, or one more thread, must be worth its memory.
_WORTH = 1.03


class TriedPace(BaseModel):
    """One way to serve, and how fast it was. images_per_s: by the clock, the best of its passes."""

    model_config = ConfigDict(frozen=True)

    network_batch: int = Field(ge=1)
    decode_threads: int = Field(ge=1)
    images_per_s: float = Field(gt=0.0)


class ServingPace(BaseModel):
    """What was chosen on a kind of machine, and what was tried. runtime: what ran the network meanwhile."""

    model_config = ConfigDict(frozen=True)

    machine: str
    runtime: str
    images: int
    network_batch: int = Field(ge=1)
    decode_threads: int = Field(ge=1)
    tried: tuple[TriedPace, ...]


def worth_it(tried: list[TriedPace]) -> TriedPace:
    """Return the smallest way to serve that no larger one beats by three per cent.

    >>> small, large = TriedPace(network_batch=8, decode_threads=2, images_per_s=10.0), 10.2
    >>> worth_it([small, TriedPace(network_batch=32, decode_threads=2, images_per_s=large)]).network_batch
    8
    """
    fastest = max(one.images_per_s for one in tried)
    near = [one for one in tried if one.images_per_s * _WORTH >= fastest]
    return min(near, key=lambda one: (one.network_batch * one.decode_threads, one.network_batch))
