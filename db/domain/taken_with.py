"""Where an image was taken, and with which camera, as the file itself says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TakenWith:
    """What a file says of its place and its camera; None where it does not say.

    latitude_deg, longitude_deg: WGS 84, north and east positive; both or none. camera_model: maker and model.

    Raises:
        ValueError: a place that is none on Earth.
    """

    latitude_deg: float | None = None
    longitude_deg: float | None = None
    camera_model: str | None = None
    camera_serial: str | None = None

    def __post_init__(self) -> None:
        if (self.latitude_deg is None) != (self.longitude_deg is None):
            raise ValueError("a place has a latitude and a longitude")
        if self.position is not None and not (abs(self.position[0]) <= 90.0 and abs(self.position[1]) <= 180.0):
            raise ValueError(f"{self.latitude_deg}, {self.longitude_deg} is no place on Earth")

    @property
    def position(self) -> tuple[float, float] | None:
        """Latitude and longitude, degrees."""
        if self.latitude_deg is None or self.longitude_deg is None:
            return None
        return self.latitude_deg, self.longitude_deg


UNTOLD = TakenWith()
