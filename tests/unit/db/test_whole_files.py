"""What a reader finds at a path: the old content or the new one, whatever happens to the writer."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from db.whole_files import forget_old_drafts, move_whole, whole_file, whole_folder, write_whole

_KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from db.whole_files import whole_file, whole_folder

draft_of = {"file": whole_file, "folder": whole_folder}[sys.argv[1]]
with draft_of(Path(sys.argv[2])) as draft:
    (draft if draft.is_file() else draft / "part").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_is_replaced_and_no_draft_is_left(tmp_path: Path) -> None:
    file = tmp_path / "card.json"

    write_whole(file, b"old")
    write_whole(file, b"new")

    assert file.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["card.json"]


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt), whole_file(file) as draft:
        draft.write_bytes(b"half")
        raise KeyboardInterrupt

    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["card.json"]


def test_a_kill_in_the_middle_leaves_the_old_file_and_a_draft_that_is_swept_later(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    file.write_bytes(b"old")

    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_THE_MIDDLE, "file", str(file)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old"
    (draft,) = tmp_path.glob(".*.part")
    forget_old_drafts(tmp_path)
    assert draft.read_bytes() == b"half"  # young: another process may still write it
    os.utime(draft, (0, 0))
    forget_old_drafts(tmp_path)
    assert os.listdir(tmp_path) == ["card.json"]


def test_a_kill_in_the_middle_leaves_no_folder(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_IN_THE_MIDDLE, "folder", str(tmp_path / "model")], check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    (draft,) = tmp_path.iterdir()
    os.utime(draft, (0, 0))
    forget_old_drafts(tmp_path)
    assert not draft.exists()


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def told_sync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        events.append(("sync", kind))
        sync(descriptor)

    def told_replace(source: Path, target: Path) -> None:
        events.append(("rename", target.name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", told_sync)
    monkeypatch.setattr(os, "replace", told_replace)

    write_whole(tmp_path / "a", b"content")

    assert events == [("sync", "file"), ("rename", "a"), ("sync", "folder")]
    events.clear()
    with whole_folder(tmp_path / "b") as draft:
        (draft / "inside").write_bytes(b"content")
    assert events == [("sync", "file"), ("sync", "folder"), ("rename", "b"), ("sync", "folder")]
    events.clear()
    write_whole(tmp_path / "a", b"made again", synced=False)
    assert events == [("rename", "a")]


def test_a_folder_replaces_an_empty_one_and_never_one_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_bytes(b"mine")

    with whole_folder(tmp_path / "empty") as draft:
        (draft / "new").write_bytes(b"new")
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "full") as draft:
        (draft / "new").write_bytes(b"new")

    assert os.listdir(tmp_path / "empty") == ["new"]
    assert os.listdir(tmp_path / "full") == ["mine"]
    assert sorted(os.listdir(tmp_path)) == ["empty", "full"]


def test_what_is_private_is_never_readable_by_others_not_even_while_it_is_written(tmp_path: Path) -> None:
    with whole_file(tmp_path / "backup.tar", private=True) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    with whole_folder(tmp_path / "home", private=True) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o700

    assert stat.S_IMODE((tmp_path / "backup.tar").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_name_as_long_as_the_disk_allows_and_a_place_relative_to_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    longest = Path("x" * 250 + ".json")

    write_whole(longest, b"content")
    move_whole(longest, Path("short.json"))

    assert (tmp_path / "short.json").read_bytes() == b"content"
