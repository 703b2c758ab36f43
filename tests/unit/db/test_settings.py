"""Settings are refused with a line that names the variable and never shows what is secret in it."""

from __future__ import annotations

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
