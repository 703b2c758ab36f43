"""Fixtures that more than one kind of test uses: real databases, each test its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from db.migrate import open_database
from db.settings import get_settings

POSTGRES_URL = os.environ.get("TAFFRAIL_TEST_POSTGRES", "postgresql+psycopg://root@127.0.0.1:5432/postgres")

# A choice takes half a minute a training; test_runtimes.py makes it where it is meant.
os.environ.setdefault("TAFFRAIL_CHOOSE_RUNTIME", "0")

_CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
)


# A command ends with its process; one that a test calls leaves its connections open.
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
event.listen(Engine, "engine_connect", lambda connection: _engines.add(connection.engine))


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """A test that sets variables leaves no settings to the next one, and no open connections."""
    yield
    get_settings.cache_clear()
    for engine in list(_engines):
        engine.dispose()


def skip_or_fail(reason: str) -> None:
    """Skip a test whose service is not reachable; CI sets TAFFRAIL_TEST_NO_SKIP, which makes it a failure."""
    if os.environ.get("TAFFRAIL_TEST_NO_SKIP"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def postgres_database(*, template: str = "template1") -> Iterator[str]:
    """The URL of a database of its own on a real Postgres, a copy of the template."""
    server = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    name = f"taffrail_test_{uuid.uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    except OperationalError:
        skip_or_fail("no Postgres at TAFFRAIL_TEST_POSTGRES (default 127.0.0.1:5432)")
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """The URL of an empty database of its own on a real Postgres."""
    with postgres_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on SQLite and once on Postgres."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'taffrail.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with this version's tables: each test gets a copy, for migrating takes longer than most tests do."""
    file = tmp_path_factory.mktemp("migrated") / "taffrail.db"
    open_database(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """The name of a Postgres database with this version's tables, to be copied likewise."""
    with postgres_database() as url:
        open_database(url).dispose()
        yield str(make_url(url).database)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database with this version's tables, once on SQLite and once on Postgres."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / 'taffrail.db'}"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "taffrail.db")
        else:
            url = stack.enter_context(postgres_database(template=request.getfixturevalue("migrated_postgres")))
        engine = open_database(url)
        yield engine
        engine.dispose()


@pytest.fixture
def s3_server() -> Iterator[object]:
    """A server that speaks S3, in a thread of this process; skipped where moto is not installed."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        skip_or_fail("moto is not installed (pip install 'taffrail-fish[test]')")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    with contextlib.suppress(Exception):
        server.stop()


@pytest.fixture
def s3(s3_server: object, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint of an S3 server of its own, which this process and its children use."""
    from worker.images.object_store import forget_file_systems

    host, port = s3_server.get_host_and_port()  # type: ignore[attr-defined]
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    forget_file_systems()
    return endpoint


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium, driven as a person would."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        skip_or_fail("no chromium and chromedriver (apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    for flag in _CHROMIUM_FLAGS:
        options.add_argument(flag)
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()
