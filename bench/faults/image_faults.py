"""What images and folders do: they kill, hang, grow, vanish, change, lead elsewhere, come twice at once."""

from __future__ import annotations

from bench.faults.catalogue import Expected, fault
from bench.faults.ledger import read_ledger
from bench.faults.servers import wait_until
from bench.faults.site import Site, failed, quarantined
from tests.factories import write_images


@fault("an image that kills")
def killing_image(site: Site) -> Expected:
    return _bad_image(site, "kill")


@fault("an image that hangs", settings={"TAFFRAIL_LEASE_S": "2"})
def hanging_image(site: Site) -> Expected:
    return _bad_image(site, "hang")


@fault("an image that eats memory", settings={"TAFFRAIL_WORKER_MEMORY_MIB": "256"})
def eating_image(site: Site) -> Expected:
    return _bad_image(site, "eat")


@fault("the same folder from two shells at once", quick=True)
def enqueued_at_once(site: Site) -> None:
    site.start_worker(processes=2)
    site.cli("status")
    shells = [site.start_cli("enqueue", str(site.images), "--detach") for _ in range(2)]
    for shell in shells:
        words, _ = shell.communicate(timeout=60)
        if shell.returncode not in (0, 1):
            raise RuntimeError(f"cli enqueue ended with {shell.returncode}: {words.strip()[-300:]}")
    site.enqueue()


@fault("duplicates in every batch, two workers", settings={"TAFFRAIL_BATCH_ITEMS": "2"})
def duplicates(site: Site) -> Expected:
    """Each batch holds a copy of the same image: both workers infer it before either has stored it."""
    one = write_images(site.folder / "one", 1, seed=7)[0]
    paths = [site.images / "cam_1" / f"{number:04d}-duplicate.jpg" for number in range(24)]
    for path in paths:
        path.write_bytes(one.read_bytes())
    site.fail_at = "inferred=pause:0.4"
    site.start_worker(processes=2)
    site.enqueue()
    wait_until(site.all_finished, timeout_s=120, what="the duplicates are done")
    ledger = read_ledger(site.engine, root=site.images, home=site.home)
    first = ledger[str(paths[0].relative_to(site.images))]
    return {str(path.relative_to(site.images)): first for path in paths}


@fault("files vanish, change, become links before they are read")
def changing_files(site: Site) -> Expected:
    folder = site.images / "cam_1"
    (site.folder / "secret.jpg").write_bytes((folder / "0000.jpg").read_bytes())
    site.enqueue()
    (folder / "0001.jpg").unlink()
    (folder / "0002.jpg").unlink()
    (folder / "0002.jpg").symlink_to(site.folder / "secret.jpg")
    (folder / "0003.jpg").unlink()
    (folder / "0003.jpg").mkdir()
    (folder / "0004.jpg").write_bytes((folder / "0006.jpg").read_bytes())
    site.start_worker()
    wait_until(site.all_finished, timeout_s=60, what="the changed files are done")
    ledger = read_ledger(site.engine, root=site.images, home=site.home)
    return {
        "cam_1/0001.jpg": failed("missing"),
        "cam_1/0002.jpg": failed("outside the root"),
        "cam_1/0003.jpg": failed("not a regular file"),
        "cam_1/0004.jpg": ledger["cam_1/0006.jpg"],
    }


def _bad_image(site: Site, deed: str) -> Expected:
    site.fail_at += f",decoding/0007-bad.jpg={deed}"
    write_images(site.folder / "bad", 1, seed=66)[0].rename(site.images / "cam_1" / "0007-bad.jpg")
    site.start_worker()
    site.enqueue()
    return {"cam_1/0007-bad.jpg": quarantined()}
