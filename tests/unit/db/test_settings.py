"""Settings are refused with a line that names the variable and never shows what is secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from db.errors import SettingsError
from db.settings import Settings, environment_of, get_settings


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


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a HOME, which is told by a variable."""
    monkeypatch.setenv("TAFFRAIL_HOME", str(tmp_path))
    monkeypatch.delenv("TAFFRAIL_SETTINGS", raising=False)
    return tmp_path / "settings.toml"


def test_a_settings_file_counts_below_dotenv_and_dotenv_below_a_variable(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file.write_text('batch_items = 1\nnetwork_batch = 2\nlease_s = 3\nspecies = ["A", "B", "NoF"]\n')
    (settings_file.parent / ".env").write_text("TAFFRAIL_NETWORK_BATCH=20\nTAFFRAIL_LEASE_S=30\n")
    monkeypatch.setenv("TAFFRAIL_LEASE_S", "300")

    settings = get_settings()

    assert (settings.batch_items, settings.network_batch, settings.lease_s) == (1, 20, 300)
    assert settings.label_set.names == ("A", "B", "NoF")
    assert Settings().batch_items == 64  # made elsewhere, it reads no file


@pytest.mark.parametrize("variable", ["TAFFRAIL_BROKER_URL", "BROKER_URL"])
def test_either_name_of_a_variable_is_stronger_than_the_file(
    variable: str, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TAFFRAIL_BROKER_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    settings_file.write_text('broker_url = "redis://file:6379/0"\n')
    assert get_settings().broker == "redis://file:6379/0"
    get_settings.cache_clear()

    monkeypatch.setenv(variable, "redis://variable:6379/0")

    assert get_settings().broker == "redis://variable:6379/0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("batch_itmes = 3", "'batch_itmes' is no setting; did you mean batch_items?", id="misspelt"),
        pytest.param("[taffrail]\nbatch_items = 3", "'taffrail' is no setting", id="table"),
        pytest.param("batch_items = 0", "settings.toml batch_items: Input should be greater", id="range"),
        pytest.param("batch_items = [1]", "batch_items is a list; wanted a text or a number", id="list"),
        pytest.param("batch_items 3", r"is no TOML: .*line 1", id="no TOML"),
        pytest.param('home = "/elsewhere"', "names a home, but lies in one", id="home"),
        pytest.param('broker_url = "redis://:s3cret/@redis:6379/0"', "broker_url: cannot be read as a URL", id="URL"),
    ],
)
def test_what_a_settings_file_cannot_say_is_one_line_that_names_it(
    text: str, told: str, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TAFFRAIL_BROKER_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    settings_file.write_text(text)

    with pytest.raises(SettingsError, match=told) as refused:
        get_settings()

    assert str(settings_file) in str(refused.value) and "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_named_settings_file_may_say_home_and_reaches_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f'home = "{tmp_path / "site"}"\nbatch_items = 7\n')
    (tmp_path / "settings.toml").write_text("batch_items = 9\n")  # of the folder one stands in
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAFFRAIL_HOME", raising=False)
    monkeypatch.setenv("TAFFRAIL_SETTINGS", str(file))

    settings = get_settings()

    assert (settings.home, settings.batch_items) == (tmp_path / "site", 7)
    assert environment_of(settings)["TAFFRAIL_SETTINGS"] == str(file)
    get_settings.cache_clear()
    monkeypatch.setenv("TAFFRAIL_SETTINGS", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="there is no such file"):
        get_settings()
