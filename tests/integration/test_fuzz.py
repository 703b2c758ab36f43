"""A short run of `make fuzz`: no bytes make a reader fail, and no changed value makes a fish "no fish"."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fuzz import Finding, Target, fuzz, fuzz_meaning, targets

NAMES = ("coco", "ncfm", "labelme", "yolo", "yolo names", "review", "images")


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (target,) = (target for target in targets(tmp_path) if target.name == name)

    fuzz(target, seed=7, rounds=150)


def test_every_reader_is_fuzzed(tmp_path: Path) -> None:
    assert [target.name for target in targets(tmp_path)] == list(NAMES)


def test_a_value_that_is_changed_never_makes_a_fish_no_fish(tmp_path: Path) -> None:
    assert fuzz_meaning(tmp_path, seed=7, rounds=600) > 50


def test_what_a_reader_must_not_do_is_found(tmp_path: Path) -> None:
    def broken(raw: bytes) -> None:
        raise KeyError("x")

    with pytest.raises(Finding, match="KeyError"):
        fuzz(Target("broken", [b"abc"], broken), seed=1, rounds=1)
