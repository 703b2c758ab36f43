"""Figures that are not known but estimated: each with its interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval, in the figure's own unit."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the interval {self.low} to {self.high} does not hold its value {self.value}")

    @property
    def half_width(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2.0

    def shifted(self, by: float) -> Estimate:
        """Return the estimate of the figure plus a known number."""
        return Estimate(self.value + by, self.low + by, self.high + by)

    def within(self, *, low: float, high: float) -> Estimate:
        """Return the estimate cut to what is possible at all."""
        cut = [min(max(bound, low), high) for bound in (self.value, self.low, self.high)]
        return Estimate(*cut)
