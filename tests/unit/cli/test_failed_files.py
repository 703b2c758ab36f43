"""What is told of a job's images without a result."""

from __future__ import annotations

from cli.shared.watch import FailedFiles


def test_files_that_are_not_named_are_counted_and_the_way_to_them_is_told() -> None:
    failed = FailedFiles({"empty": 3}, [(b"/a/1.jpg", "empty: 0 bytes"), (b"/a/\n.jpg", "empty: 0 bytes")])

    assert failed.lines() == [
        "  3 empty",
        "  /a/1.jpg: empty: 0 bytes",
        "  /a/\\x0a.jpg: empty: 0 bytes",
        "  ... and 1 more; cli status JOB --json names all",
    ]
