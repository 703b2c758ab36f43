"""`python -m bench.faults.broken_files FOLDER`: a collection of files, whole, torn and altered, through `cli enqueue`.

FOLDER holds anything, best what others test their decoders with, as Pillow's `Tests/images`. Each file goes in four
times under an image's name: as it is, cut at a third and at nine tenths, and with one byte in a hundred altered. Ends
with 1 when a file has neither a result nor a reason, or when anything was said that is no clear line.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select

from bench.faults.processes import CLI
from bench.speed.site import show_table, thrown_away
from db.domain.jobs import ItemState
from db.session import reading
from db.tables.jobs import ItemRow

_LONGEST_S = 3_000


def main(collection: Path) -> int:
    """Print what became of the files; return 1 where one was lost, or a traceback was shown."""
    with tempfile.TemporaryDirectory(prefix="taffrail-broken-") as folder, thrown_away("sqlite") as (settings, engine):
        count = _write_all(collection, Path(folder))
        environment = {**os.environ, "TAFFRAIL_HOME": str(settings.home), "TAFFRAIL_DATABASE_URL": settings.database}
        started = time.perf_counter()
        done = subprocess.run(
            [*CLI, "enqueue", folder, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
        elapsed_s = time.perf_counter() - started
        with reading(engine) as session:
            states = Counter(
                {
                    f"{reason or state}": number
                    for state, reason, number in session.execute(
                        select(ItemRow.state, ItemRow.reason, func.count()).group_by(ItemRow.state, ItemRow.reason)
                    )
                }
            )
        log = settings.home / "worker.log"
        deaths = log.read_text(errors="replace").count("Traceback") if log.exists() else 0
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    show_table(f"{count:,} files of {collection.name}", ["became", "files"], states.most_common())
    head = ["files", "stored", "exit code", "tracebacks", "s", "peak MiB"]
    shown = deaths + ("Traceback" in done.stderr)
    show_table("The run", head, [(count, sum(states.values()), done.returncode, shown, elapsed_s, peak_mib)])
    problems = json.loads(done.stdout).get("problems", []) if done.returncode in (0, 1) else [done.stderr[-500:]]
    print(*problems[:10], sep="\n")
    lost = count - sum(number for state, number in states.items() if state != ItemState.PENDING)
    return int(bool(lost or shown or done.returncode not in (0, 1)))


def _write_all(collection: Path, folder: Path) -> int:
    count = 0
    for number, file in enumerate(sorted(path for path in collection.rglob("*") if path.is_file())):
        ending = file.suffix if file.suffix.lower() in (".jpg", ".png", ".tif", ".bmp", ".webp", ".mpo") else ".jpg"
        for kind, content in _variants(file.read_bytes(), random.Random(number)):
            (folder / f"{number:05d}-{kind}{ending}").write_bytes(content)
            count += 1
    return count


def _variants(content: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    yield "whole", content
    yield "third", content[: len(content) // 3]
    yield "end", content[: len(content) * 9 // 10]
    altered = bytearray(content)
    for place in chance.sample(range(len(content)), len(content) // 100):
        altered[place] = chance.randrange(256)
    yield "altered", bytes(altered)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
