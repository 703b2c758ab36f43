"""Files that are asked for appear whole; what is no file is written to, and never replaced."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from worker.results.files import OutputError, new_file


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "target.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("target.csv")

    _write(tmp_path / "link.csv")

    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "target.csv").read_text() == "new"


def test_a_link_that_leads_nowhere_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("target.csv")

    _write(tmp_path / "link.csv")

    assert (tmp_path / "link.csv").is_symlink() and (tmp_path / "target.csv").read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    _write(pipe)

    reader.join(timeout=10)
    assert read == ["new"] and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_a_device_is_written_to(tmp_path: Path) -> None:
    device = tmp_path / "null"
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))

    _write(device)

    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "socket"))

        with pytest.raises(OutputError, match="is a socket"):
            _write(tmp_path / "socket")

    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


def test_an_open_file_of_ours_is_not_exchanged(tmp_path: Path) -> None:
    with (tmp_path / "out.csv").open("w+b") as file:
        before = os.fstat(file.fileno()).st_ino

        _write(Path(f"/dev/fd/{file.fileno()}"))

        assert (tmp_path / "out.csv").stat().st_ino == before
    assert (tmp_path / "out.csv").read_text() == "new"


def _write(path: Path) -> None:
    with new_file(path) as file:
        file.write("new")
