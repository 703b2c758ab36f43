"""Work that threads do a few items ahead of whoever needs it, in order; such as decoding while a network works."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

THREADS = 2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def ahead(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int = THREADS, waiting: int = 2 * THREADS
) -> Iterator[_Result]:
    """Yield each item's result, in order. waiting: how many results may lie ready before they are asked for.

    >>> list(ahead(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        left = iter(items)
        running: deque[Future[_Result]] = deque(pool.submit(work, item) for item in islice(left, waiting))
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(work, item) for item in islice(left, 1))
            yield result


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield the items in lists of this size, the last one perhaps shorter.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
