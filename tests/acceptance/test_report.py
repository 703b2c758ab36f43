"""`cli report` makes pages that stand alone, whatever the files are called."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from db.migrate import open_database
from db.session import transaction
from db.settings import make_home
from db.tables.models import ModelVersionRow
from tests.factories import finished_job, write_images

HOSTILE = "<script>alert(1)</script>&\"'.jpg".replace("/", "\N{FRACTION SLASH}")


class Links(HTMLParser):
    """Collects what a page names, and the tags it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        self.links += [values[name] or "" for name in ("src", "href") if name in values]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOME with a finished job: hostile names, two cameras, a file that is no image, an image gone since."""
    home = make_home(tmp_path / "home")
    files = write_images(tmp_path / "images" / "boat <b>1", 4)
    files[0].rename(files[0].with_name(HOSTILE))
    write_images(tmp_path / "images" / "boat 2", 3, seed=1)
    (tmp_path / "images" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    finished_job(engine, home, tmp_path / "images")
    engine.dispose()
    files[1].unlink()
    return home


def test_a_report_stands_alone_and_hostile_names_are_text(home: Path, tmp_path: Path) -> None:
    done = _report(home, "1", "--out", str(tmp_path / "out"), "--originals")

    # The image that is gone is told, its figures are shown, and the command ends with 1.
    assert done.returncode == 1 and "1 images cannot be read here any more" in done.stderr
    assert "7 of 8 images drawn, 1 without a result" in done.stdout
    for name in ("index.html", "images.html", "review.html"):
        page = Links()
        page.feed((tmp_path / "out" / name).read_text(encoding="utf-8"))
        local = [link.split("#")[0] for link in page.links if link != "data:,"]
        assert all((tmp_path / "out" / link).is_file() for link in local), local
        assert page.tags.count("script") == (2 if name == "images.html" else 0) and "b" not in page.tags
        assert "default-src 'none'" in page.policy and "http" not in page.policy
    images = _data(tmp_path / "out")["images"]
    by_name = {one["name"]: one for one in images}
    hostile, torn = by_name[f"boat <b>1/{HOSTILE}"], by_name["torn.jpg"]
    sheets = _data(tmp_path / "out")["sheets"]
    kept = [hostile["image"], hostile["original"], sheets[hostile["heat"]["sheet"]]["name"]]
    assert all((tmp_path / "out" / file).is_file() for file in kept)
    assert (tmp_path / "out" / hostile["original"]).read_bytes() == (
        tmp_path / "images" / "boat <b>1" / HOSTILE
    ).read_bytes()
    assert torn["reason"] == "not an image" and "image" not in torn
    gone = by_name["boat <b>1/0001.jpg"]
    assert gone["problem"].startswith("missing") and gone["boxes"]
    # Its crops are what was kept of it; those of the others are cut from their images.
    assert all((tmp_path / "out" / box["crop"]).is_file() for box in gone["boxes"])
    assert not any(box["crop"] for box in hostile["boxes"])


def test_an_image_is_about_one_file_and_all_of_them_are_one_zip(home: Path, tmp_path: Path) -> None:
    done = _report(home, "1", "--out", str(tmp_path / "out"), "--zip", "--json")

    assert json.loads(done.stdout)["zip"] == str(tmp_path / "out.zip")
    written = {file.relative_to(tmp_path) for file in (tmp_path / "out").rglob("*") if file.is_file()}
    of_images = [file for file in written if file.parent.name in ("images", "heat") and "-" not in file.stem]
    # Six images that can be read and one sheet of heat maps; beside them are the crops of the image that is gone.
    assert len(of_images) == 6 + 1
    with ZipFile(tmp_path / "out.zip") as packed:
        assert packed.testzip() is None
        assert {Path(name) for name in packed.namelist()} == written


def test_few_images_are_drawn_where_few_are_wanted_and_every_one_is_counted(home: Path, tmp_path: Path) -> None:
    _let_the_model_say(home, "does not see <fish>")

    _report(home, "1", "--out", str(tmp_path / "out"), "--max-images", "2")

    for name in ("index.html", "review.html"):
        page = " ".join((tmp_path / "out" / name).read_text(encoding="utf-8").split())
        assert "is not known yet: 0 answers of the random share" in page
    overview = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert len([one for one in _data(tmp_path / "out")["images"] if "agreement" in one]) == 2
    assert "<strong>8</strong> images" in overview
    assert "Here are 2 of 7 images" in (tmp_path / "out" / "images.html").read_text(encoding="utf-8")
    assert "model noop does not see &lt;fish&gt;" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    done = _report(home, "1", "--out", str(tmp_path))

    assert done.returncode == 2 and "not empty" in done.stderr and "Traceback" not in done.stderr


def test_the_script_sets_text_only() -> None:
    script = Path(__file__).parents[2] / "worker" / "report" / "templates" / "report.js"

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text("utf-8"))


def _data(out: Path) -> dict[str, Any]:
    text = (out / "data.js").read_text(encoding="ascii")
    found: dict[str, Any] = json.loads(text.removeprefix("window.TAFFRAIL = ").rstrip(";\n"))
    return found


def _report(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in services}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", "report", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment, "TAFFRAIL_HOME": str(home), "COLUMNS": "300"},
    )


def _let_the_model_say(home: Path, text: str) -> None:
    """Let the model's card say this against it."""
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    with transaction(engine) as session:
        row = session.get_one(ModelVersionRow, "noop")
        row.card = {**row.card, "blind": [text]}
    engine.dispose()
