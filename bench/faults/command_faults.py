"""Commands that are killed inside, again and again, each time later, until one comes to its end; and power cuts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Engine, func, select

from bench.faults.catalogue import fault
from bench.faults.ledger import read_ledger
from bench.faults.power import Disk
from bench.faults.processes import REPOSITORY
from bench.faults.servers import crowding, wait_until
from bench.faults.site import Site
from db.domain.jobs import ItemState
from db.migrate import migrate, open_database
from db.session import engine_for, reading
from db.settings import Settings
from db.tables.images import ImageRow
from db.tables.labels import LabelRow
from db.tables.models import ModelVersionRow
from tests.factories import add_noop_champion, write_images
from tests.migration_rows import fill_every_table, rows_lost

_FEWEST_KILLS = 3
_RUN_S = 90.0
_LABELLED = {"ALB": 6, "SHARK": 5}
_OLD_REVISION = "0002"
_CUTS_AT = (4, 16, 28)
_LONG_WORK = {"TAFFRAIL_BATCH_ITEMS": "2", "TAFFRAIL_LEASE_S": "30"}
_LOOK = (
    "import sqlite3, sys;"
    "database = sqlite3.connect(sys.argv[1], uri=True);"
    "print(*database.execute('SELECT count(*) FROM items WHERE state <> \\'pending\\'').fetchone())"
)


@fault("killed inside: enqueue")
def killed_in_enqueue(site: Site) -> None:
    _kill_inside(site, "enqueue", str(site.images), "--detach")
    site.start_worker()


@fault("killed inside: import of labels, work goes on", settings=_LONG_WORK, made={"labels": 11})
def killed_in_import(site: Site) -> None:
    site.fail_at = _slowly()
    site.reach_middle()
    folder = site.folder / "labelled"
    for number, (species, count) in enumerate(_LABELLED.items()):
        write_images(folder / species, count, seed=30 + number)
    words = ("labels", "import", str(folder), "--format", "folders", "--images", str(folder))
    _kill_inside(site, *words, work_goes_on=True)
    if (found := _labels(site.engine)) != _LABELLED:
        raise RuntimeError(f"the labels are {found}, wanted {_LABELLED}")


@fault("killed inside: promotion", made={"promotions": 1})
def killed_in_promotion(site: Site) -> None:
    add_noop_champion(site.engine, Settings(home=site.home).models_dir, model_id="better", state="candidate")
    site.start_work()
    wait_until(site.all_finished, timeout_s=60, what="the first champion's work is done")
    _kill_inside(site, "models", "promote", "better", "--force", "--reason", "bench")
    with reading(site.engine) as session:
        champions = session.scalars(select(ModelVersionRow.id).where(ModelVersionRow.state == "champion")).all()
    if list(champions) != ["better"]:
        raise RuntimeError(f"the champions are {champions}, wanted one, the promoted")


@fault("killed inside: backup, work goes on", databases=("sqlite",), settings=_LONG_WORK)
def killed_in_backup(site: Site) -> None:
    """The archive that comes to be at last holds a moment: each answer in it is the one that the site ends with."""
    archive, restored = site.folder / "backup.tar", site.folder / "restored"
    site.fail_at = _slowly()
    site.reach_middle()
    _kill_inside(site, "backup", str(archive), work_goes_on=True)
    wait_until(site.all_finished, timeout_s=60, what="the work goes on")
    _run(site, ["restore", str(archive)], {"TAFFRAIL_HOME": str(restored), "TAFFRAIL_DATABASE_URL": ""})
    ends = read_ledger(site.engine, root=site.images, home=site.home)
    engine = open_database(f"sqlite:///{restored / 'taffrail.db'}")
    held = read_ledger(engine, root=site.images, home=restored)
    engine.dispose()
    other = [path for path, entry in held.items() if entry.state != ItemState.PENDING and entry != ends[path]]
    if other or not any(entry.state == ItemState.DONE for entry in held.values()):
        raise RuntimeError(f"the archive's answers are not the site's: {other[:3]}")


@fault("killed inside: upgrade of an old database, rows in all")
def killed_in_upgrade(site: Site) -> None:
    site.start_work()
    home = site.folder / "old"
    home.mkdir(mode=0o700)
    url = site.postgres.make_database() if site.postgres is not None else f"sqlite:///{home / 'taffrail.db'}"
    engine = engine_for(url)
    migrate(engine, revision=_OLD_REVISION)
    with engine.begin() as connection:
        before = fill_every_table(connection)
    engine.dispose()
    _kill_inside(site, "cameras", "list", settings={"TAFFRAIL_HOME": str(home), "TAFFRAIL_DATABASE_URL": url})
    engine = open_database(url)
    lost = rows_lost(engine, before)
    engine.dispose()
    if lost:
        raise RuntimeError(f"rows of {sorted(lost)} are not as they were: {next(iter(lost.values()))[:200]}")


@fault("power cut three times: what was not synced is lost", leaves_orphans=True)
def power_cut(site: Site) -> None:
    """Files and database fall back to what was synced; on Postgres only files do, and a row may name one of them."""
    site.engine.dispose()
    disk = Disk(site.home, site.folder)
    site.settings_of_ours |= disk.environment
    site.enqueue()
    lost = 0
    for items in _CUTS_AT:
        worker = site.start_worker()
        wait_until(lambda least=items: _finished(site) >= least, timeout_s=60, what=f"{items} items are finished")
        lost += disk.lose_power(worker.kill)
    site.check_unfinished()
    if not lost:
        raise RuntimeError("nothing was unsynced when the power was cut: it proves nothing")
    site.start_worker()


def _slowly() -> str:
    """Return a pause a batch that keeps the work going until a command was killed, however busy the machine is."""
    return f"inferred=pause:{min(3.0, crowding())}"


def _finished(site: Site) -> int:
    """Return how many items are finished, without having SQLite open: its last closer syncs, and nobody watches us."""
    if site.engine.dialect.name != "sqlite":
        return site.finished()
    look = [sys.executable, "-c", _LOOK, f"file:{site.home / 'taffrail.db'}?mode=ro"]
    said = subprocess.run(look, capture_output=True, text=True, check=False)
    return int(said.stdout) if said.returncode == 0 else 0


def _kill_inside(
    site: Site, *words: str, settings: Mapping[str, str] | None = None, work_goes_on: bool = False
) -> None:
    """Run a command that is killed before its first change, its second, its fourth, until it comes to its end."""
    kills, place = 0, 1
    while True:
        proof = site.folder / f"killed-{kills}"
        done = _run(site, words, settings or {}, die_at=place, proof=proof)
        if done.returncode >= 0:
            break
        if not proof.exists():
            raise RuntimeError(f"cli {words[0]} died by itself ({done.returncode}): {done.stderr[-300:]}")
        kills, place = kills + 1, place * 2
        if work_goes_on and kills == 1:
            site.check_unfinished()
    if kills < _FEWEST_KILLS:
        raise RuntimeError(f"cli {words[0]} was killed inside {kills} times only: it proves too little")


def _run(
    site: Site, words: Sequence[str], settings: Mapping[str, str], *, die_at: int = 0, proof: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in {**site.environment(), **settings}.items() if value}
    done = subprocess.run(
        [sys.executable, "-m", "bench.faults.die_inside", str(die_at), str(proof), *words],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=_RUN_S * crowding(),
        check=False,
    )
    if done.returncode > 1 or "Traceback" in done.stderr:
        raise RuntimeError(f"cli {words[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return done


def _labels(engine: Engine) -> dict[str, int]:
    with reading(engine) as session:
        counted = select(LabelRow.species, func.count(ImageRow.sha256.distinct())).join(
            ImageRow, ImageRow.id == LabelRow.image_id
        )
        return dict(session.execute(counted.group_by(LabelRow.species)).all())
