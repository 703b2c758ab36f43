"""The commands that keep a HOME safe: `cli backup` and `cli restore`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.terminal import say

if TYPE_CHECKING:
    from worker.storage.backup import Backup

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The archive, a tar file; it holds crops of images.")]


def backup(file: Archive, as_json: AsJson = False) -> None:
    """Write database, models and crops of HOME to FILE, all of one moment; workers may go on meanwhile."""
    from cli.shared.progress import progress_bar
    from db.settings import get_settings
    from worker.storage.backup import make_backup

    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("backup", total=None)
        done = make_backup(
            get_settings(), file, progress=lambda count, total: bar.update(task, completed=count, total=total)
        )
    _tell(f"{file}: {done.files} files, {done.size_bytes / 2**20:.1f} MiB", done, as_json=as_json)


def restore(file: Archive, as_json: AsJson = False) -> None:
    """Make TAFFRAIL_HOME, which must be empty or missing, of an archive; every file is checked."""
    from cli.shared.progress import progress_bar
    from db.settings import get_settings
    from worker.storage.backup import restore_backup

    home = get_settings().home
    with progress_bar("files", quiet=as_json) as bar:
        task = bar.add_task("restore", total=None)
        done = restore_backup(file, home, progress=lambda count, _total: bar.update(task, completed=count))
    _tell(f"{home}: {done.files} files; `cli status` shows jobs, `cli resume` goes on with one", done, as_json=as_json)


def _tell(text: str, done: Backup, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"files": done.files, "size_bytes": done.size_bytes, "missing": done.missing}))
    else:
        typer.echo(text)
        for name in done.missing:
            say(f"  named by the database but not on the disk: {name}", fg=typer.colors.YELLOW, err=True)
    if done.missing:
        raise typer.Exit(1)
