"""Images in an object store: a real S3 protocol server on this machine, and the library that speaks to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.migrate import open_database
from db.settings import Settings, make_home
from tests.factories import add_noop_champion, write_images
from worker.images.errors import StoreUnreachable, UnreadableImage, UnreadableReason
from worker.images.object_store import RemoteRootError, checked_root, scan_remote
from worker.images.read import read_image_file
from worker.images.skipped import Skipped

ROOT = b"s3://fleet/trip7"


@pytest.fixture
def bucket(s3: str, tmp_path: Path) -> Iterator[object]:
    import boto3

    client = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="fleet")
    for file in write_images(tmp_path, 3):
        client.put_object(Bucket="fleet", Key=f"trip7/boot-ä/{file.name}", Body=file.read_bytes())
    client.put_object(Bucket="fleet", Key="trip7/notes.txt", Body=b"no image")
    client.put_object(Bucket="fleet", Key="trip7/empty.jpg", Body=b"")
    client.put_object(Bucket="fleet", Key="elsewhere/secret.jpg", Body=b"not below the root")
    yield client


def test_the_images_below_a_url_are_found_with_their_size_and_time(bucket: object) -> None:
    problems: list[tuple[bytes, str]] = []

    found = list(scan_remote(ROOT, on_problem=lambda place, text: problems.append((place, text))))

    assert [file.folder + b"/" + file.name for file in found] == [
        b"s3://fleet/trip7/empty.jpg",
        *(f"s3://fleet/trip7/boot-ä/{number:04d}.jpg".encode() for number in range(3)),
    ]
    assert all(file.mtime_ns > 0 for file in found) and found[0].size_bytes == 0 and not problems


def test_videos_below_a_url_are_told_with_the_way_to_have_them_read(bucket: object) -> None:
    pytest.importorskip("av")
    bucket.put_object(Bucket="fleet", Key="trip7/clip.mp4", Body=b"a video")  # type: ignore[attr-defined]
    bucket.put_object(Bucket="fleet", Key="trip7/old.wmv", Body=b"a video")  # type: ignore[attr-defined]
    skipped = Skipped()

    found = list(scan_remote(ROOT, on_problem=lambda place, text: None, skipped=skipped))

    assert len(found) == 4
    assert skipped.text() == (
        "not looked at: 1 .mp4, 1 .wmv (videos are read from folders of this machine, not from URLs: copy them here)"
    )


def test_an_object_is_read_as_a_file_is(bucket: object, tmp_path: Path) -> None:
    written = (tmp_path / "0001.jpg").read_bytes()

    read = read_image_file("s3://fleet/trip7/boot-ä/0001.jpg".encode(), root=ROOT)

    assert read.content == written


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"s3://fleet/trip7/gone.jpg", UnreadableReason.MISSING),
        (b"s3://fleet/trip7/empty.jpg", UnreadableReason.EMPTY),
        (b"s3://fleet/elsewhere/secret.jpg", UnreadableReason.OUTSIDE_ROOT),
        (b"s3://fleet/trip7/../elsewhere/secret.jpg", UnreadableReason.OUTSIDE_ROOT),
    ],
    ids=["missing", "empty", "outside", "dots"],
)
def test_an_object_that_gives_no_image_says_why(bucket: object, path: bytes, reason: UnreadableReason) -> None:
    with pytest.raises(UnreadableImage) as raised:
        read_image_file(path, root=ROOT)

    assert raised.value.reason is reason


def test_a_store_that_does_not_answer_says_nothing_about_its_objects(
    bucket: object, s3_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_server.stop()  # type: ignore[attr-defined]

    with pytest.raises(StoreUnreachable):
        read_image_file(b"s3://fleet/trip7/boot-\xc3\xa4/0001.jpg", root=ROOT)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        (b"s3://user:secret@bucket/x", "a password"),
        (b"file:///etc", "wanted a folder"),
        (b"zip://x::s3://bucket/a.zip", "a chain"),
        (b"s3://bucket/a/../b", "'..' in the URL"),
        (b"s3:///x", "wanted a folder"),
    ],
)
def test_a_url_that_cannot_be_a_root_is_refused_without_telling_its_password(url: bytes, text: str) -> None:
    with pytest.raises(RemoteRootError, match=text) as raised:
        checked_root(url)

    assert "secret" not in str(raised.value)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A HOME with a model, which commands use."""
    home = tmp_path / "home"
    settings = Settings(home=home, database_url=None, broker_url=None)
    make_home(home)
    engine = open_database(settings.database)
    add_noop_champion(engine, settings.models_dir)
    engine.dispose()
    monkeypatch.setenv("TAFFRAIL_HOME", str(home))
    return home


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli.main", *words], capture_output=True, text=True, check=False)


def test_a_folder_of_an_object_store_is_enqueued_and_reviewed(
    bucket: object, s3_server: object, site: Path, tmp_path: Path
) -> None:
    enqueued = cli("enqueue", ROOT.decode())
    changed = (tmp_path / "0001.jpg").read_bytes() + b"more"
    bucket.put_object(Bucket="fleet", Key="trip7/boot-ä/0001.jpg", Body=changed)  # type: ignore[attr-defined]
    bucket.delete_object(Bucket="fleet", Key="trip7/boot-ä/0002.jpg")  # type: ignore[attr-defined]

    exported = cli("review", "export", str(tmp_path / "out"), "--images", "symlink")

    assert enqueued.returncode == 1, enqueued.stderr  # the empty object
    assert "3 of 4 done" in enqueued.stdout and "empty.jpg: empty" in enqueued.stderr
    assert exported.returncode == 1 and "1 images to look at" in exported.stdout
    assert "boot-ä/0001.jpg: changed since it was enqueued" in exported.stderr
    assert "boot-ä/0002.jpg: missing: the object is gone" in exported.stderr
    (shown,) = (tmp_path / "out").glob("*_0000.jpg")
    assert not shown.is_symlink() and shown.read_bytes() == (tmp_path / "0000.jpg").read_bytes()
    assert shown.with_suffix(".json").is_file()

    s3_server.stop()  # type: ignore[attr-defined]
    down = cli("review", "export", str(tmp_path / "more"), "--overlap")
    assert down.returncode == 2 and "s3://fleet/trip7" in down.stderr and "Traceback" not in down.stderr
    assert not [path for path in tmp_path.iterdir() if "more" in path.name]
