"""Only a call of our own task with one row id gets to Celery."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu import compression
from kombu.message import Message

from worker.delivery.checked_messages import fault_of, refuse_compressed

TASK = "taffrail.infer_batch"
NO_CALLS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def test_our_own_message_passes() -> None:
    assert _fault([[7], {}, NO_CALLS]) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("text", id="text"),
        pytest.param(None, id="null"),
        pytest.param([[7], {}], id="short"),
        pytest.param({"task": TASK, "args": [7]}, id="first protocol"),
        pytest.param([[], {}, {}], id="no argument"),
        pytest.param([[1, 2], {}, {}], id="two arguments"),
        pytest.param([["1; DROP TABLE items"], {}, {}], id="no number"),
        pytest.param([[True], {}, {}], id="a boolean"),
        pytest.param([[-1], {}, {}], id="negative"),
        pytest.param([[2**63], {}, {}], id="no database holds it"),
        pytest.param([[1], {"x": 1}, {}], id="named arguments"),
        pytest.param([[1], {}, {"chain": [{"task": "os.system"}]}], id="a chain"),
    ],
)
def test_any_other_body_is_refused(body: object) -> None:
    assert _fault(body)


def test_pickles_and_foreign_tasks_are_refused() -> None:
    assert _fault([[1], {}, {}], content_type="application/x-python-serialize") == "not JSON"
    assert _fault([[1], {}, {}], headers={"task": "os.system"})
    assert _fault([[1], {}, {}], headers=None)
    assert _fault([[1], {}, {}], headers={"task": ["unhashable"]})


def test_a_body_that_is_large_is_refused_before_it_is_decoded() -> None:
    assert _fault([[7], {}, NO_CALLS], raw=bytes(10**6)) == "more than 65536 bytes"


def test_a_compressed_body_is_never_unpacked() -> None:
    kinds = list(compression.encoders())
    kept = [(*compression.get_encoder(kind)[:1], compression.get_decoder(kind), kind) for kind in kinds]
    packed, kind = compression.compress("[[7], {}, {}]", "zlib")
    try:
        refuse_compressed()
        message = Message(body=packed, headers={"compression": kind, "task": TASK}, content_type="application/json")
    finally:
        for encoder, decoder, name in kept:
            compression.register(encoder, decoder, name)

    assert message.body == packed and "never are" in str(message.errors[0][1])


def _fault(
    body: object,
    *,
    content_type: str = "application/json",
    headers: object = {"task": TASK},
    raw: bytes = b"",
) -> str | None:
    message = SimpleNamespace(content_type=content_type, headers=headers, body=raw, decode=lambda: body)
    return fault_of(message, tasks={TASK: None})
