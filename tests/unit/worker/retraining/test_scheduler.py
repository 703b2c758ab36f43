"""What the scheduler tells of a retraining that ran in its child process."""

import pytest

from worker.retraining.scheduler import what_came


@pytest.mark.parametrize(
    ("events", "came"),
    [
        ('{"stage": "train", "done": 1, "total": 2}\n{"result": {"came": "promoted m2"}}\n', "promoted m2"),
        ('{"error": "no labels"}\n', "no labels"),
        ('{"stage": "train", "done": 1, "to', None),  # killed in the middle of a line: the scheduler goes on
        ('{"stage": "train", "done": 1, "total": 2}\n', None),
        ("", None),
    ],
)
def test_the_last_line_says_what_came(events, came):
    assert what_came(events) == came
