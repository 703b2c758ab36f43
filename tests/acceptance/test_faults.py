"""A few quick faults of the bench; `make faults` runs them all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from bench.faults import FAULTS, Fault
from bench.faults.run import Bench
from tests.conftest import skip_or_fail

QUICK = [pytest.param(fault, id=fault.name) for fault in FAULTS if fault.quick]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if not shutil.which("redis-server"):
        skip_or_fail("redis-server is not installed")
    with Bench() as bench:
        yield bench


@pytest.mark.parametrize("fault", QUICK)
def test_nothing_is_lost_doubled_or_wrong_after(fault: Fault, bench: Bench) -> None:
    row = bench.run(fault, database="sqlite")

    assert not row.problem
    assert row.difference is not None and row.difference.none, row.difference.examples
