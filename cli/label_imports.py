"""The commands on imports of labels: which there are, and taking one back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from db.domain.label_imports import LabelImportSummary

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


def list_command(as_json: AsJson = False) -> None:
    """List the imports of labels, the newest first: of an image, the last one that is in force counts."""
    from db.session import reading
    from db.store.label_imports import list_imports

    _, engine = opened()
    with reading(engine) as session:
        imports = list_imports(session)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in imports], indent=2))
    elif not imports:
        typer.echo("no labels yet; `cli labels import` brings them in")
    for one in imports if not as_json else []:
        typer.echo(_line(one))


def undo_command(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[IMPORT]", min=1, help="The import's number, as `cli labels list` shows it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take an import of labels back, the last one where none is named; what earlier ones said is in force again.

    Nothing is deleted: import the same files again to bring it back.
    """
    from db.session import transaction
    from db.store.label_imports import undo_import

    _, engine = opened()
    with transaction(engine) as session:
        undone = undo_import(session, number)
    if as_json:
        typer.echo(json.dumps({"import": undone.import_id, "path": undone.path, "images": undone.counting}))
    else:
        typer.echo(f"import {undone.import_id} is taken back; {undone.counting} images go back to what was said before")


def _line(one: LabelImportSummary) -> str:
    counts = f"{one.images} images" + (f", {one.counting} count" if one.counting != one.images else "")
    when = one.created_at[:16].replace("T", " ")
    return f"{one.import_id:4}  {when}  {one.state:8}  {one.source:8}  {counts}  {one.path}".rstrip()
