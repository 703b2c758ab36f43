"""Settings are refused with a line that names the variable and never shows what is secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import SettingsError
from db.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def _fresh_settings() -> None:
    get_settings.cache_clear()


def test_a_broker_url_that_cannot_be_taken_apart_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://:s3cret/@redis:6379/0")

    with pytest.raises(SettingsError, match="BROKER_URL: cannot be read as a URL; wanted redis://") as refused:
        get_settings()

    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(refused.value.__cause__)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://:p%2F%40@redis:6379/0",
        "rediss://user:word@redis/0",
        "sentinel://a:26379/0;sentinel://b:26379/0",
        "redis+socket:///run/redis.sock",
        "filesystem://",
    ],
)
def test_brokers_that_celery_reads_are_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", url)

    assert get_settings().broker == (url or None)
    assert url == "" or url not in repr(Settings())


@pytest.mark.parametrize("line", ["0 0 3 * * 1", "@daily", "3 * *", "* * * * * * *"])
def test_a_cron_line_has_five_fields(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_RETRAIN_CRON", line)

    with pytest.raises(SettingsError, match=r"TAFFRAIL_RETRAIN_CRON: .* minute hour day month weekday"):
        get_settings()


def test_settings_are_read_from_home_and_not_from_the_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick, home = tmp_path / "stick", tmp_path / "home"
    for folder, items in ((stick, 7), (home, 9)):
        folder.mkdir()
        (folder / ".env").write_text(f"TAFFRAIL_BATCH_ITEMS={items}\n")
    monkeypatch.setenv("TAFFRAIL_HOME", str(home))
    monkeypatch.chdir(stick)

    assert get_settings().batch_items == 9


def test_a_named_file_of_settings_is_read_and_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAFFRAIL_ENV_FILE", str(tmp_path / "site.env"))

    with pytest.raises(SettingsError, match="there is no such file"):
        get_settings()
    (tmp_path / "site.env").write_text("TAFFRAIL_BATCH_ITEMS=11\n")
    assert get_settings().batch_items == 11


def test_an_empty_variable_is_the_default_and_never_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAFFRAIL_HOME", "")

    assert get_settings().home == Path("~/.taffrail").expanduser()


def test_home_cannot_be_moved_by_the_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAFFRAIL_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".taffrail").mkdir()
    (tmp_path / ".taffrail" / ".env").write_text("TAFFRAIL_HOME=/elsewhere\n")

    with pytest.raises(SettingsError, match="names another TAFFRAIL_HOME"):
        get_settings()
