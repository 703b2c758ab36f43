"""The commands on the label set: `cli species list|add|alias|rename|merge`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from db.domain.species import LabelSet

app = typer.Typer(help="Show and change the species of this project.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Species = Annotated[str, typer.Argument(metavar="SPECIES", help="A species of this project, or one of its aliases.")]


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the species in the order of every table, with their aliases and how many images are said to show them."""
    from db.session import reading
    from db.store.species import count_said, held_label_set

    settings, engine = opened()
    with reading(engine) as session:
        decided = held_label_set(session) is not None
        said = count_said(session)
    label_set = settings.label_set
    if as_json:
        species = [
            {"name": name, "aliases": _aliases(label_set, name), "images": said.get(name, 0)}
            for name in label_set.names
        ]
        typer.echo(json.dumps({"decided": decided, "species": species}))
        return
    for name in label_set.names:
        aliases = ", ".join(_aliases(label_set, name))
        typer.echo(f"{name}  {said.get(name, 0)} images" + (f"  (also {aliases})" if aliases else ""))
    if not decided:
        typer.echo("not decided yet: the first import takes the species of its files, `cli species add` names them")


@app.command("add")
def add_command(names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of new species.")]) -> None:
    """Add species; models learn them with the next training. The first ones added are the project's own."""
    from db.domain.species import LabelSet
    from db.session import transaction
    from db.store.species import add_species, decide_label_set

    _, engine = opened()
    with transaction(engine) as session:
        decide_label_set(session, LabelSet(("NoF",)))
        _tell(add_species(session, names))


@app.command("alias")
def alias_command(
    species: Species, names: Annotated[list[str], typer.Argument(metavar="ALIAS...", help="Other names of it.")]
) -> None:
    """Give a species other names by which label files and people may call it; letters' case never matters."""
    from db.session import transaction
    from db.store.species import add_aliases

    _, engine = opened()
    with transaction(engine) as session:
        _tell(add_aliases(session, species, names))


@app.command("rename")
def rename_command(
    species: Species, name: Annotated[str, typer.Argument(metavar="NAME", help="Its name from now on.")]
) -> None:
    """Give a species another name, in labels, answers and results too; the old one stays as an alias."""
    from db.session import transaction
    from db.store.species import rename_species

    _, engine = opened()
    with transaction(engine) as session:
        _tell(rename_species(session, species, name))


@app.command("merge")
def merge_command(
    species: Species, into: Annotated[str, typer.Argument(metavar="INTO", help="The species that it is.")]
) -> None:
    """Make two species one, in labels, answers and results too; there is no way back, so `cli backup` first."""
    from db.session import transaction
    from db.store.species import merge_species

    _, engine = opened()
    with transaction(engine) as session:
        _tell(merge_species(session, species, into))


def _tell(label_set: LabelSet) -> None:
    typer.echo(", ".join(label_set.names))


def _aliases(label_set: LabelSet, name: str) -> list[str]:
    return sorted(alias for alias, known in label_set.aliases.items() if known == name)
