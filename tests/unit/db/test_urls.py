"""URLs of services are read strictly, and no part of a password is ever told."""

from __future__ import annotations

import pytest

from db.urls import check_broker_url, checked_database_url, without_passwords


@pytest.mark.parametrize(
    ("url", "told"),
    [
        pytest.param("postgresql://u:s3cret#w%rd/1:2@127.0.0.1/x", "%40 for @", id="nothing escaped"),
        pytest.param("postgresql://u:s3@cret:x@127.0.0.1/x", "%40 for @", id="an @"),
        pytest.param("postgresql://u:s3?cret@127.0.0.1/x", "%40 for @", id="a question mark"),
        pytest.param("postgresql://u:s3%cret@127.0.0.1/x", "%25 for %", id="a percent sign"),
        pytest.param("postgresql://127.0.0.1:abc/x", "port", id="a port of letters"),
        pytest.param("postgresql://127.0.0.1:70000/x", "port", id="a port too large"),
        pytest.param("postgresql://a:5432,b:5433/x", "more than one host", id="two hosts"),
        pytest.param("postgresql+psycopg2://who@a/x", "found the driver 'psycopg2'", id="another driver"),
        pytest.param("sqlite+aiosqlite:////tmp/x", "found the driver 'aiosqlite'", id="another SQLite driver"),
        pytest.param("mysql://u:s3cret@h/x", "found the engine 'mysql'", id="another engine"),
        pytest.param("s3cret", "is no URL", id="no URL"),
        pytest.param("sqlite://", "in memory", id="memory"),
        pytest.param("sqlite:///:memory:", "in memory", id="memory by its name"),
        pytest.param("sqlite:///file:x?mode=memory&uri=true", "in memory", id="memory by an option"),
        pytest.param("sqlite:////tmp/x?timeout=s3cret", "more than a file's path", id="options of SQLite"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_refused_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        checked_database_url(url)

    assert "s3" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss%23@127.0.0.1:5432/x?sslmode=verify-full",
        "postgresql://u@[::1]:5432/x",
        "postgresql:///x?host=/run/postgresql",
        "postgresql+psycopg://root@127.0.0.1/x",
    ],
)
def test_usual_database_urls_are_read(url: str) -> None:
    assert checked_database_url(url).removeprefix("postgresql+psycopg") == url[url.index("://") :]


def test_a_relative_sqlite_file_means_the_same_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")

    assert checked_database_url("sqlite:///var/x.db") == "sqlite:////var/x.db"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("reddis://127.0.0.1:6379/7", "did you mean redis?"),
        ("unix:///r.sock", r"did you mean redis\+socket"),
        ("http://127.0.0.1", "no such transport"),
        ("memory://", "in memory"),
        ("redis://:s3@cret#w%rd/1:2@127.0.0.1:1/0", "%40 for @"),
        ("rediss://h/0?ssl_cert_reqs=bogus", "ssl_cert_reqs: wanted required"),
        ("sentinel://a:26379/0;sentinel://:s3cret/@b/0", "%2F for /"),
        ("redis://127.0.0.1:port/0", "port"),
    ],
)
def test_a_broker_url_that_cannot_be_used_is_refused_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        check_broker_url(url)

    assert "s3" not in str(refused.value)


@pytest.mark.parametrize("password", ["s3cret", "s3cret@x", "s3cret#/x:y", ":s3cret?"])
@pytest.mark.parametrize("form", ["redis://:{}@h/0", "postgresql://u:{}@h/x", "see amqp://u:{}@h/, then go on"])
def test_whatever_a_library_says_is_told_without_the_password(form: str, password: str) -> None:
    assert "s3cret" not in without_passwords(form.format(password))


@pytest.mark.parametrize(
    "option", ["password=s3cret", "sslpassword=s3cret&x=1", "PASSWORD='s3cret'", "api_token=s3cret"]
)
def test_passwords_among_options_are_hidden(option: str) -> None:
    assert "s3cret" not in without_passwords(f"postgresql://h/x?{option}")
