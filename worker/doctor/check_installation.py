"""Checks what an installation needs: packages, HOME, database, broker, model; each with what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from db.errors import SettingsError, TaffrailError
from db.migrate import open_database
from db.session import reading, shown_url
from db.settings import Settings
from db.store.model_versions import champion_id, get_model
from db.urls import shown_url as shown_service
from db.urls import verifies_certificate, without_passwords
from worker.delivery.supervise import LOG_NAME
from worker.doctor.check_machine import check_kept_features, check_processor, check_runtime, check_worker_log
from worker.doctor.check_species import check_species
from worker.doctor.checks import Check, CheckState
from worker.storage.artifacts import held_model

_FREE_GIB = 5.0
_KEEPS = "noeviction"
_PACKAGES = ("tensorflow", "keras", "celery", "redis", "sqlalchemy", "pillow", "numpy", "typer")


def refused_settings(error: SettingsError) -> Check:
    """Return the check of settings that cannot be used, under the name of the service that they are of."""
    text = str(error)
    name = next((name for name in ("database", "broker") if f"{name.upper()}_URL" in text), "settings")
    return Check(name, CheckState.BAD, text, "correct the variable, or unset it for the default")


def check_programs() -> Iterator[Check]:
    """Yield the checks that need no settings."""
    yield _check_python()
    yield _check_packages()


def check_installation(settings: Settings) -> Iterator[Check]:
    """Yield every check in turn; none of them changes anything but the database's tables of this version."""
    yield _check_home(settings)
    yield _check_space(settings)
    database = _told(_check_database, settings, name="database", to_do="set DATABASE_URL, or unset it for SQLite")
    yield database
    yield _told(_check_broker, settings, name="broker", to_do="start it or set BROKER_URL; unset, files in HOME serve")
    if database.verdict is not CheckState.BAD:
        yield _told(check_species, settings, name="species", to_do="see docs/species.md")
        yield _told(_check_model, settings, name="model", to_do="restore its file, or `cli models rollback`")
    yield check_processor(_version)
    yield check_runtime(_version, settings.runtime)
    yield check_kept_features(settings.home, limit_mib=settings.kept_features_mib)
    yield check_worker_log(settings.home / LOG_NAME)


def _told(check: Callable[[Settings], Check], settings: Settings, *, name: str, to_do: str) -> Check:
    try:
        return check(settings)
    except TaffrailError as error:
        return Check(name, CheckState.BAD, str(error), to_do)


def _check_python() -> Check:
    return Check("python", CheckState.GOOD, f"{platform.python_version()} at {sys.executable}")


def _check_packages() -> Check:
    held: list[str] = []
    missing: list[str] = []
    for name in _PACKAGES:
        version = _version(name) or (_version("tensorflow-cpu") if name == "tensorflow" else None)
        (held if version else missing).append(f"{name} {version}" if version else name)
    if missing:
        return Check("packages", CheckState.BAD, f"missing: {', '.join(missing)}", "pip install taffrail-fish")
    return Check("packages", CheckState.GOOD, ", ".join(held))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_home(settings: Settings) -> Check:
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=settings.home) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Check(
            "home", CheckState.BAD, f"{settings.home}: {error.strerror}", "set TAFFRAIL_HOME to a writable folder"
        )
    if settings.home.stat().st_mode & 0o077:
        return Check(
            "home", CheckState.ODD, f"{settings.home}: other users can look into it", f"chmod 700 {settings.home}"
        )
    return Check("home", CheckState.GOOD, str(settings.home))


def _check_space(settings: Settings) -> Check:
    place = settings.home if settings.home.exists() else settings.home.parent
    try:
        free_gib = shutil.disk_usage(place).free / 2**30
    except OSError as error:
        return Check("disk", CheckState.BAD, f"{place}: {error.strerror}")
    if free_gib < _FREE_GIB:
        return Check("disk", CheckState.ODD, f"{free_gib:.1f} GiB free in HOME", "an image's crops take 50-200 kB")
    return Check("disk", CheckState.GOOD, f"{free_gib:.0f} GiB free in HOME")


def _check_database(settings: Settings) -> Check:
    engine = open_database(settings.database)
    with reading(engine) as session:
        champion_id(session)
    return Check("database", CheckState.GOOD, f"{shown_url(engine)}, tables of this version")


def _check_broker(settings: Settings) -> Check:
    if settings.broker is None:
        return Check("broker", CheckState.GOOD, f"embedded, files in {settings.broker_dir}")
    from worker.delivery.app import make_app

    shown = shown_service(settings.broker)
    try:
        with make_app(settings).connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=5)
            policy = _eviction_policy(connection) if connection.transport.driver_type == "redis" else _KEEPS
    except Exception as error:  # kombu's transports raise their libraries' own kinds, also at the release
        cause = without_passwords(_first_line(error))
        return Check("broker", CheckState.BAD, f"{shown}: {cause}", "start it, or repair BROKER_URL")
    if policy != _KEEPS:
        return Check(
            "broker", CheckState.ODD, f"{shown}: drops keys when full ({policy})", f"maxmemory-policy {_KEEPS}"
        )
    if settings.broker.startswith("rediss:") and not verifies_certificate(settings.broker):
        found = f"{shown}: its certificate is not verified, so anybody may stand between"
        return Check("broker", CheckState.ODD, found, "remove ssl_cert_reqs, name ssl_ca_certs=FILE")
    return Check("broker", CheckState.GOOD, shown)


def _eviction_policy(connection: Any) -> str:
    """Return what a Redis does when it is full; a queue must refuse what it cannot hold, not drop it silently."""
    import redis

    try:
        found = connection.default_channel.client.config_get("maxmemory-policy")
    except redis.ResponseError:
        return _KEEPS  # hosted services forbid CONFIG; what they do is theirs
    return str(found.get("maxmemory-policy", _KEEPS))


def _check_model(settings: Settings) -> Check:
    engine = open_database(settings.database)
    with reading(engine) as session:
        model_id = champion_id(session)
        held = get_model(session, model_id) if model_id else None
    if held is None:
        return Check("model", CheckState.ODD, "none yet", "`cli labels import` and `cli train`, or `cli demo`")
    held_model(settings, held)
    return Check("model", CheckState.GOOD, f"champion {held.model_id}, its file is as registered")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
