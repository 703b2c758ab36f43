"""The command that tells what `--json` prints, for those who write programs against it."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def schema(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="Such as: models list. None lists all."),
    ] = None,
) -> None:
    """Show the JSON schema of what a command prints with --json."""
    from cli.json_schemas import DOCUMENTS, schema_of

    if not command:
        typer.echo("\n".join(sorted(DOCUMENTS)))
        return
    name = " ".join(command)
    if name not in DOCUMENTS:
        raise typer.BadParameter(f"{name!r} has no schema; `cli schema` lists those that have")
    typer.echo(json.dumps(schema_of(name), indent=2))
