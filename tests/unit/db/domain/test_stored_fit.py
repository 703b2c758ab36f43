"""A fit that the store holds is read as it was written, or refused with what is wrong."""

import pytest

from db.domain.error_probability import PARTS, ErrorFit
from db.domain.stored_fit import fit_from_json, fit_to_json

FIT = ErrorFit(0.5, tuple(0.1 * place for place in range(len(PARTS))), {"BET": 1.0}, {"boat 1": -1.0})


def test_a_fit_survives_the_store():
    assert fit_from_json(fit_to_json(FIT)) == FIT


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"intercept": None}, "intercept: "),
        ({"intercept": float("nan")}, "intercept: "),
        ({"parts": {"agreement": 1.0}}, "parts: iou, species_distance, .* missing"),
        ({"species": {"BET": "much"}}, "species.BET: "),
        ({"cameras": None}, "cameras: "),
    ],
)
def test_what_is_no_fit_is_refused_by_its_place(change, told):
    with pytest.raises(ValueError, match=told):
        fit_from_json({**fit_to_json(FIT), **change})
