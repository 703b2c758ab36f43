"""A fit of the chance to be wrong, as the store keeps it: plain JSON, each weight under its part's name."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from db.domain.error_probability import PARTS, ErrorFit


class _PlainFit(BaseModel):
    """The stored form. parts: a weight for each of `PARTS`."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    intercept: float
    parts: dict[str, float]
    species: dict[str, float]
    cameras: dict[str, float]


def fit_to_json(fit: ErrorFit) -> dict[str, object]:
    """Return a fit as the store keeps it."""
    parts = dict(zip(PARTS, fit.parts, strict=True))
    return _PlainFit(
        intercept=fit.intercept, parts=parts, species=dict(fit.species), cameras=dict(fit.cameras)
    ).model_dump(mode="json")


def fit_from_json(stored: Mapping[str, object]) -> ErrorFit:
    """Return a fit from what `fit_to_json` made.

    Raises:
        ValueError: it is no fit, or one of other parts; one line says what was found where.
    """
    try:
        plain = _PlainFit.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    if missing := [name for name in PARTS if name not in plain.parts]:
        raise ValueError(f"parts: {', '.join(missing)} missing")
    return ErrorFit(plain.intercept, tuple(plain.parts[name] for name in PARTS), plain.species, plain.cameras)
