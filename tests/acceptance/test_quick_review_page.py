"""The quick review in a real browser: a row is confirmed with one key, a question answered with a digit, and undone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from db.domain.corrections import CorrectionOutcome
from db.migrate import open_database
from db.session import reading
from db.store.reviews import current_corrections
from tests.factories import finished_job, write_images


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A HOME with a finished job of eight images."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("TAFFRAIL_HOME", str(home))
    engine = open_database(f"sqlite:///{home / 'taffrail.db'}")
    write_images(tmp_path / "images" / "boat_1", 8)
    finished_job(engine, home, tmp_path / "images")
    return engine


@pytest.fixture
def server(site: Engine) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`cli review quick` and the address that it names."""
    command = [sys.executable, "-m", "cli.main", "review", "quick", "1", "--no-browser", "--reviewer", "ana"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()
        running.kill()


def test_rows_questions_and_undo_are_stored_as_they_are_pressed(
    site: Engine, server: tuple[subprocess.Popen[str], str], browser: Any
) -> None:
    running, address = server
    browser.get(address)
    left = wait_for(browser, tiles=8)

    # Mark one as odd, confirm the rest of its row, and name the odd one.
    odd = next(tile for tile in left if "no fish" not in tile.text)
    row = odd.find_element("xpath", "./ancestor::section[@class='row']")
    in_row = len(row.find_elements("css selector", ".tile"))
    odd.click()
    row = browser.find_element("css selector", f".row[data-species='{row_name(browser)}']")
    row.find_element("css selector", ".confirm").click()
    answered = 8 - in_row + 1
    wait_for(browser, tiles=answered) if answered > 1 else None
    assert len(said(site)) == in_row - 1

    browser.find_element("id", "to-question").click()
    wait_until(browser, lambda: browser.find_element("id", "asked").text.endswith("Box 1 of 1"))
    press(browser, "2")
    wait_until(browser, lambda: len(said(site)) == in_row)
    assert CorrectionOutcome.CORRECTED in said(site).values()

    press(browser, "z")
    wait_until(browser, lambda: len(said(site)) == in_row - 1)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) == 0
    assert running.stdout is not None and f"{in_row - 1} images answered by ana" in running.stdout.read()


def said(engine: Engine) -> dict[str, CorrectionOutcome]:
    with reading(engine) as session:
        return {sha256: one.outcome for sha256, one in current_corrections(session).items()}


def row_name(browser: Any) -> str:
    odd = browser.find_element("css selector", ".tile.odd")
    name: str = odd.find_element("xpath", "./ancestor::section[@class='row']").get_attribute("data-species")
    return name


def press(browser: Any, key: str) -> None:
    browser.find_element("tag name", "body").send_keys(key)


def wait_for(browser: Any, *, tiles: int) -> list[Any]:
    wait_until(browser, lambda: len(browser.find_elements("css selector", ".tile")) == tiles)
    found: list[Any] = browser.find_elements("css selector", ".tile")
    return found


def wait_until(browser: Any, holds: Any) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: holds())
