"""What README tells a newcomer to type is typed here, in its order, on a small sample."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The same commands with a smaller network and fewer rounds: what is tested is the way, not the model.
QUICKER = {
    "cli train": ["--size", "96x160", "--weights", "random", "--epochs", "1", "--second-stage", "frozen"],
    "cli retrain": ["--epochs", "1"],
}


def lines_of(document: str) -> list[str]:
    """The commands of the document's shell blocks, without their remarks."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the newcomer stands: labelled images, their labels, and a trip of boats that nobody has labelled."""
    folder = tmp_path_factory.mktemp("newcomer")
    for name, first in (("fleet", "0"), ("trip", "5")):
        words = ["sample", name, "--images", "24", "--cameras", "3", "--first-camera", first, "--scale", "0.2"]
        assert _cli(folder, *words).returncode == 0
    (folder / "fleet" / "images").rename(folder / "labelled")
    (folder / "fleet" / "labels").rename(folder / "labels")
    (folder / "trip" / "images").rename(folder / "trip7")
    labelme = folder / "labelme"
    labelme.write_text("#!/bin/sh\nexit 0\n")  # opened, looked at, closed
    labelme.chmod(0o755)
    return folder


def test_every_command_of_the_readme_works_in_its_order(folder: Path) -> None:
    commands = [shlex.split(line) for line in lines_of(README) if line.startswith("cli ")]

    for words in commands:
        done = _cli(folder, *words[1:], *QUICKER.get(" ".join(words[:2]), []))
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"

    assert (folder / "trip7-report" / "index.html").is_file()
    assert len((folder / "trip7.csv").read_text(encoding="utf-8").splitlines()) == 25
    assert len(commands) >= 11


def test_the_readme_names_only_make_targets_and_pages_that_are_there() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]

    assert set(re.findall(r"\bmake (\w+)", README)) <= set(targets)
    assert links and all((ROOT / link).is_file() for link in links)


def test_every_page_of_docs_is_in_its_index_and_no_link_is_dead() -> None:
    pages = sorted((ROOT / "docs").rglob("*.md"))
    # Each folder's README is the index of its pages; that of docs/ names those of the folders.
    missing = [page.name for page in pages if f"({_from_index(page)})" not in _index(page).read_text(encoding="utf-8")]
    dead = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]

    assert missing == ["README.md"]
    assert dead == []


def _index(page: Path) -> Path:
    folder = page.parent.parent if page.name == "README.md" and page.parent != ROOT / "docs" else page.parent
    return folder / "README.md"


def _from_index(page: Path) -> str:
    return str(page.relative_to(_index(page).parent))


def _cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    services = ("TAFFRAIL_DATABASE_URL", "DATABASE_URL", "TAFFRAIL_BROKER_URL", "BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in services}
    environment |= {"TAFFRAIL_HOME": str(folder / "home"), "TAFFRAIL_LABELME": str(folder / "labelme")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env=environment,
    )
