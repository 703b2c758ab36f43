"""What happens to the queue: dead, empty, full, poisoned, gone."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from pathlib import Path

from kombu import Connection

from bench.faults.catalogue import fault
from bench.faults.servers import RedisServer, wait_until
from bench.faults.site import Site

_DOWN_S = 2.0
_FULL_S = 5.0
_LESS_THAN_IT_TAKES = "100kb"  # an empty Redis takes about a megabyte
_QUEUE = "infer"


@fault("Redis killed, restarted empty")
def redis_killed(site: Site) -> None:
    _while_messages_wait(site)
    _kill_and_restart(_redis(site))


@fault("Redis killed, restarted with its AOF", redis=("--appendonly", "yes", "--appendfsync", "always"))
def redis_killed_with_aof(site: Site) -> None:
    _while_messages_wait(site)
    _kill_and_restart(_redis(site))


@fault("Redis flushed")
def redis_flushed(site: Site) -> None:
    _while_messages_wait(site)
    _redis(site).client.flushall()


@fault("queue purged")
def queue_purged(site: Site) -> None:
    _while_messages_wait(site)
    _redis(site).client.delete(_QUEUE)


@fault("Redis full for 5 s", redis=("--maxmemory-policy", "noeviction"))
def redis_full(site: Site) -> None:
    """Full when half the work is done, and when a second folder is enqueued: that command says so and ends."""
    site.reach_middle()
    client = _redis(site).client
    client.config_set("maxmemory", _LESS_THAN_IT_TAKES)
    site.check_unfinished()
    _must_be_refused(site, "cam_1", said="maxmemory")
    time.sleep(_FULL_S)
    client.config_set("maxmemory", 0)


@fault("Redis down when a folder is enqueued")
def redis_down(site: Site) -> None:
    _redis(site).kill()
    _must_be_refused(site, "", said="Connection refused")
    _redis(site).start()
    site.start_worker()


@fault("a pickle message and garbage by hand")
def foreign_messages(site: Site) -> None:
    """None of them may run code, stop the worker, or stand in the way of the others."""
    mark = site.folder / "code-was-run"
    site.start_worker()
    with Connection(_redis(site).url()) as connection:
        _send_garbage(connection, mark)
        _redis(site).client.lpush(_QUEUE, b"no message at all")
        site.enqueue()
        site.wait_for_items(8)
        _send_garbage(connection, mark)
    wait_until(site.all_finished, timeout_s=60, what="the work goes on")
    if mark.exists():
        raise RuntimeError("a message ran code")


@fault("the embedded broker's folder deleted", redis=None)
def broker_folder_deleted(site: Site) -> None:
    command = site.start_cli("enqueue", str(site.images))
    site.wait_for_items(8)
    # In one step: workers take files from it meanwhile.
    gone = (site.home / "broker").rename(site.home / "broker-deleted")
    shutil.rmtree(gone)
    site.check_unfinished()
    words, _ = command.communicate(timeout=90)
    if command.returncode != 1 or "Traceback" in words:  # 1: two of the files are no images
        raise RuntimeError(f"cli enqueue ended with {command.returncode}: {words.strip()[-300:]}")


class _MakesAFile:
    """What a pickle may do to who loads it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


def _while_messages_wait(site: Site) -> None:
    site.reach_middle()
    site.check_messages_wait()


def _redis(site: Site) -> RedisServer:
    assert site.redis is not None, "this fault needs Redis"
    return site.redis


def _kill_and_restart(server: RedisServer) -> None:
    server.kill()
    time.sleep(_DOWN_S)
    server.start()


def _must_be_refused(site: Site, folder: str, *, said: str) -> None:
    done = site.cli("enqueue", str(site.images / folder), "--detach", check=False)
    if done.returncode != 2 or said not in done.stderr or done.stderr.strip().count("\n"):
        raise RuntimeError(f"cli enqueue ended with {done.returncode}, not with one line and 2: {done.stderr.strip()}")


def _send_garbage(connection: Connection, mark: Path) -> None:
    poison = pickle.dumps(_MakesAFile(mark))
    headers = {"task": "taffrail.infer_batch", "id": "1", "lang": "py"}
    with connection.Producer() as producer:
        send = {"routing_key": _QUEUE, "exchange": "", "headers": headers}
        producer.publish(poison, content_type="application/x-python-serialize", content_encoding="binary", **send)
        producer.publish("{torn", content_type="application/json", content_encoding="utf-8", **send)
        for body in ([[], {}, {}], [["x; DROP TABLE items"], {}, {}], [[-1], {}, {}], [[10**30], {}, {}], "text", None):
            producer.publish(body, serializer="json", **send)
        producer.publish([[1], {}, {}], serializer="json", **{**send, "headers": {"task": "os.system", "id": "2"}})
