"""What a step's process says reaches its caller whole, whatever it names; a torn line is no event."""

import pytest

from worker.steps.step_event import StepEvent, read_event


@pytest.mark.parametrize(
    "event",
    [
        StepEvent(stage="features", done=3, total=12),
        StepEvent(result={"model": "m1", "skipped": ["b\udcff.jpg"]}),
        StepEvent(error="/trip/b\udcff.jpg: no JPEG"),
    ],
)
def test_an_event_is_read_as_it_was_written(event):
    line = event.line()

    assert line.isascii() and line.count("\n") == 1
    assert read_event(line) == event


@pytest.mark.parametrize("line", ["", "{", '{"stage": "trai', "[]", "null", '{"done": "much"}', "a library's chatter"])
def test_a_torn_or_strange_line_is_no_event(line):
    assert read_event(line) is None
