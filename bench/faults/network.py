"""A network of its own for a worker, whose cable can be pulled: a namespace and a pair of virtual interfaces."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from types import TracebackType

from bench.faults.servers import NotHere


class Network:
    """The namespace; where it cannot be made, `enter` says so and the servers listen on 127.0.0.1 only."""

    def __init__(self) -> None:
        number = os.getpid() % 250 + 1
        self._name = f"taffrail-{os.getpid()}"
        self._here, self._there = f"tf{os.getpid()}a", f"tf{os.getpid()}b"
        self._our_address, self._its_address = f"10.213.{number}.1", f"10.213.{number}.2"
        self._made = False

    def __enter__(self) -> Network:
        if os.getuid() == 0 and shutil.which("ip"):
            with contextlib.suppress(subprocess.CalledProcessError):
                self._make()
                self._made = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if os.getuid() == 0 and shutil.which("ip"):
            subprocess.run(["ip", "netns", "del", self._name], capture_output=True, check=False)
            subprocess.run(["ip", "link", "del", self._here], capture_output=True, check=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where servers should listen, so that both sides reach them."""
        return ("127.0.0.1", self._our_address) if self._made else ("127.0.0.1",)

    @property
    def host(self) -> str:
        """The servers' address as seen from inside.

        Raises:
            NotHere: there is no namespace.
        """
        if not self._made:
            raise NotHere("needs root and iproute2: makes a network namespace")
        return self._our_address

    @property
    def enter(self) -> list[str]:
        """The words before a command line that run it inside."""
        return ["ip", "netns", "exec", self._name]

    def cut(self) -> None:
        """Pull the cable: what is sent gets no answer, not even an error."""
        _ip("link", "set", self._here, "down")

    def repair(self) -> None:
        """Put it back."""
        _ip("link", "set", self._here, "up")

    def _make(self) -> None:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
        _ip("addr", "add", f"{self._our_address}/30", "dev", self._here)
        _ip("link", "set", self._here, "up")
        for words in (("addr", "add", f"{self._its_address}/30", "dev", self._there), ("link", "set", "lo", "up")):
            _ip("-n", self._name, *words)
        _ip("-n", self._name, "link", "set", self._there, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
