"""Where and with which camera an image was taken, as JSON formats tell it."""

from __future__ import annotations

from db.domain.taken_with import TakenWith


def told_of_device(told: TakenWith) -> dict[str, object]:
    """Return what is known, by the names that all our formats have.

    >>> told_of_device(TakenWith(camera_serial="0042"))
    {'camera_serial': '0042'}
    """
    named = {
        "latitude": told.latitude_deg,
        "longitude": told.longitude_deg,
        "camera_model": told.camera_model,
        "camera_serial": told.camera_serial,
    }
    return {name: value for name, value in named.items() if value is not None}
