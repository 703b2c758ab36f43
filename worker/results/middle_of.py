"""The middle of some places on Earth, and how far two lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EARTH_M = 6_371_008.8
Place = tuple[float, float]
"""Latitude and longitude, degrees."""


def middle_of(places: Sequence[Place]) -> Place:
    """Return the place in the mean direction, also across the 180th meridian.

    >>> [round(one, 6) for one in middle_of([(0.0, 179.0), (0.0, -179.0)])]
    [0.0, 180.0]
    """
    vectors = [_vector(place) for place in places]
    x, y, z = (math.fsum(axis) for axis in zip(*vectors, strict=True))
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def distance_m(first: Place, other: Place) -> float:
    """Return the length of the great circle between two places, metres.

    Source: the haversine formula, on a sphere of the Earth's mean radius.

    >>> round(distance_m((0.0, 0.0), (0.0, 1.0)))
    111195
    """
    (south, west), (north, east) = ((math.radians(a), math.radians(b)) for a, b in (first, other))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def _vector(place: Place) -> tuple[float, float, float]:
    latitude, longitude = math.radians(place[0]), math.radians(place[1])
    return math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)
