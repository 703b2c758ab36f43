"""The URLs of database and broker: read strictly once, and shown without any part of a password."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from urllib.parse import parse_qsl

POSTGRES_FORM = "postgresql://user:password@host:5432/name"
_SQLITE_FORM = "sqlite:////folder/file.db"
_REDIS_FORM = "redis://:password@host:6379/0"
_ESCAPES = "with %40 for @, %23 for #, %2F for /, %3A for :, %25 for % in the password"
_BROKERS = ("redis", "rediss", "redis+socket", "sentinel", "amqp", "amqps", "pyamqp", "filesystem")
_MEANT = {"unix": "redis+socket", "redis+unix": "redis+socket", "redis+ssl": "rediss", "redis+tls": "rediss"}
_CERTIFICATE_CHECKS = {"CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE", "required", "optional", "none"}
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:,\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# To the last @ of a word: whatever stands before it may be a password that nobody escaped.
_PASSWORD = re.compile(r"(\w[\w+.-]*://)(?:([^\s:/@]*):\S*|[^\s:/@]*)@")
_SECRET_OPTION = re.compile(r"(?i)\b(\w*(?:password|passwd|secret|token))=(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\"]+)")


def checked_database_url(url: str) -> str:
    """Return a database URL as SQLAlchemy takes it; SQLite's file is absolute.

    Raises:
        ValueError: it cannot be used; the text says what is wanted and holds nothing of the URL but its scheme.

    >>> checked_database_url("postgres://who@host/name")
    'postgresql+psycopg://who@host/name'
    """
    scheme, separator, rest = url.partition("://")
    engine, _, driver = scheme.partition("+")
    if not separator:
        raise ValueError(f"is no URL; wanted {POSTGRES_FORM} or {_SQLITE_FORM}")
    if engine not in ("postgres", "postgresql", "sqlite"):
        raise ValueError(f"found the engine {engine[:30]!r}, wanted sqlite or postgresql")
    wanted = "pysqlite" if engine == "sqlite" else "psycopg"
    if driver not in ("", wanted):
        raise ValueError(f"found the driver {driver[:30]!r}, wanted none ({engine}://...): Taffrail brings {wanted}")
    if engine == "sqlite":
        return f"sqlite:///{_sqlite_file(rest)}"
    _check_server(rest, form=POSTGRES_FORM)
    return f"postgresql+psycopg://{rest}"


def check_broker_url(url: str) -> None:
    """Refuse a broker URL that cannot be used; several servers of one broker stand behind each other with `;`.

    Raises:
        ValueError: it cannot be used; the text holds nothing of the URL but its scheme.

    >>> check_broker_url("rediss://user:word@redis/0;rediss://other/0")
    """
    for one in url.split(";"):
        scheme, separator, rest = one.partition("://")
        if not separator:
            raise ValueError(f"cannot be read as a URL; wanted {_REDIS_FORM}, {_ESCAPES}")
        if scheme == "memory":
            raise ValueError("a broker in memory reaches no other process; wanted none (files in HOME) or Redis")
        if scheme not in _BROKERS:
            raise ValueError(f"no such transport: {scheme[:30]!r}{_suggestion(scheme)}; wanted {_REDIS_FORM}")
        if scheme not in ("redis+socket", "filesystem"):
            _check_server(rest, form=_REDIS_FORM.replace("redis://", f"{scheme}://"))
        checks = dict(_options(rest)).get("ssl_cert_reqs")
        if checks is not None and checks not in _CERTIFICATE_CHECKS:
            raise ValueError("ssl_cert_reqs: wanted required (the default of rediss://), optional or none")


def verifies_certificate(broker_url: str) -> bool:
    """Return whether a broker that is reached by TLS has to prove who it is.

    >>> verifies_certificate("rediss://host/0"), verifies_certificate("rediss://host/0?ssl_cert_reqs=none")
    (True, False)
    """
    checks = [dict(_options(one)).get("ssl_cert_reqs", "required") for one in broker_url.split(";")]
    return all(check in ("required", "CERT_REQUIRED") for check in checks)


def without_passwords(text: str) -> str:
    """Return a text whose URLs keep their passwords to themselves, escaped or not.

    >>> without_passwords("redis://:s3@cret#@host/0 and postgresql://who:s3cret@host/x?password=s3cret")
    'redis://:***@host/0 and postgresql://who:***@host/x?password=***'
    """
    return _SECRET_OPTION.sub(r"\1=***", _PASSWORD.sub(_hidden, text))


def shown_url(url: str) -> str:
    """Return a service's URL without its password and its options.

    >>> shown_url("redis://:s3cret@host/0?ssl_keyfile=x"), shown_url("redis://host/0")
    ('redis://:***@host/0', 'redis://host/0')
    """
    return ";".join(without_passwords(one.partition("?")[0]) for one in url.split(";"))


def _hidden(found: re.Match[str]) -> str:
    if found[0].endswith(":password@"):  # what our own messages want to see
        return found[0]
    return f"{found[1]}{found[2] or ''}:***@" if ":" in found[0].removeprefix(found[1]) else f"{found[1]}***@"


def _sqlite_file(rest: str) -> Path:
    place = rest.partition("?")[0].removeprefix("/")
    if not place or ":memory:" in rest or "mode=memory" in rest:
        raise ValueError(f"a database in memory is gone when the command ends; wanted {_SQLITE_FORM}")
    if "?" in rest or not rest.startswith("/"):
        raise ValueError(f"found more than a file's path; wanted {_SQLITE_FORM}")
    return Path(place).absolute()


def _check_server(rest: str, *, form: str) -> None:
    """Refuse what two readers would take apart differently: so a password ends up in a host's name."""
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    if "#" in rest or rest.count("@") != authority.count("@") or rest.count("@") > 1 or _BAD_ESCAPE.search(rest):
        raise ValueError(f"cannot be read as a URL; wanted {form}, {_ESCAPES}")
    host = authority.rpartition("@")[2]
    if "," in host:
        raise ValueError(f"names more than one host; wanted {form}")
    found = _HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > 65535:
        raise ValueError(f"its port is no number of 0 to 65535; wanted {form}, {_ESCAPES}")


def _options(rest: str) -> list[tuple[str, str]]:
    return parse_qsl(rest.partition("?")[2], keep_blank_values=True)


def _suggestion(scheme: str) -> str:
    close = _MEANT.get(scheme) or next(iter(difflib.get_close_matches(scheme, _BROKERS, n=1)), None)
    return f" (did you mean {close}?)" if close else ""
