"""The commands of the registry: list, show, promote, rollback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models.card import card_lines
from cli.models.look import look
from cli.models.optimise import optimise
from cli.shared.context import model_or_champion, opened
from cli.shared.runtimes import choose_runtime
from worker.models.names import HEAD_DESCRIPTIONS, TRUNKS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.store.model_versions import ModelVersion


def _networks() -> str:
    """What can be chosen, for the help text."""
    one = [f"{name}: {' '.join(spec.description.split())}" for name, spec in TRUNKS.items()]
    two = [f"{name}: {' '.join(text.split())}" for name, text in HEAD_DESCRIPTIONS.items()]
    return "\n\n".join(["Trunks", *one, "Heads", *two])


app = typer.Typer(
    help="List, show and change the model versions.\n\n" + _networks(),
    no_args_is_help=True,
)

app.command("look")(look)
app.command("optimise")(optimise)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
CHAMPION = "champion"
ModelId = Annotated[
    str, typer.Argument(metavar="MODEL", help="The model version's id, as `cli models list` shows it, or champion.")
]


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List every model version, the newest first."""
    from db.session import reading
    from db.store.model_versions import list_models

    _, engine = opened()
    with reading(engine) as session:
        models = list_models(session)
    if as_json:
        typer.echo(json.dumps([_as_json(model) for model in models], indent=2))
    elif not models:
        typer.echo("no models yet; `cli labels import` and `cli train` make the first one")
    for model in models if not as_json else []:
        typer.echo(_line(model))


@app.command("show")
def show_command(model: ModelId, as_json: AsJson = False) -> None:
    """Show everything known of a model version: its card, its figures, when it served."""
    from db.session import reading
    from db.store.model_versions import get_model, list_promotions

    _, engine = opened()
    model = model_or_champion(engine, None if model == CHAMPION else model)
    with reading(engine) as session:
        held = get_model(session, model)
        changes = [one for one in list_promotions(session) if model in (one.model_id, one.previous_id)]
    if as_json:
        typer.echo(json.dumps({**_as_json(held), "promotions": [asdict(one) for one in changes]}, indent=2))
        return
    typer.echo(_line(held))
    for line in card_lines(held, changes):
        typer.echo(line)


@app.command("promote")
def promote_command(
    model: ModelId,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "by hand",
    force: Annotated[bool, typer.Option("--force", help="Also where the gate refused it; that is kept, too.")] = False,
) -> None:
    """Let a model version serve; workers change to it between two batches."""
    from db.session import reading, transaction
    from db.store.model_versions import RegistryError, get_model, promote
    from worker.retraining.rerank import ask_flagged, work_off
    from worker.storage.artifacts import held_model

    settings, engine = opened()
    with reading(engine) as session:
        held = get_model(session, model)
        refused = bool(_objection(session, held)) and not force
    held_model(settings, held)
    if not refused:
        choose_runtime(settings, model)  # before workers take it
    with transaction(engine) as session:
        objection = _objection(session, held)
        if objection and not force:
            raise RegistryError(f"model {model}: {objection}; --force promotes it all the same")
        previous = promote(session, model, reason=reason, forced=bool(objection))
        job_ids = ask_flagged(session, settings, former=previous)
    typer.echo(f"model {model} serves" + (f"; {previous} is retired" if previous else ""))
    _rank_anew(job_ids, lambda: work_off(engine, settings, job_ids, tell=typer.echo))


def _objection(session: Session, held: ModelVersion) -> str | None:
    """Return why the gate does not let a version serve; None or '' where it does."""
    from db.store.model_versions import champion_id, get_model
    from worker.retraining.gate import blind_objection, objection_to

    champion = champion_id(session)
    return objection_to(held, get_model(session, champion)) if champion else blind_objection(held)


@app.command("rollback")
def rollback_command(
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "by hand",
) -> None:
    """Bring back the champion before this one."""
    from db.session import reading, transaction
    from db.store.model_versions import RegistryError, champion_before, get_model, rollback_champion
    from worker.storage.artifacts import held_model

    settings, engine = opened()
    with reading(engine) as session:
        former = get_model(session, champion_before(session)[0])
    held_model(settings, former)
    with transaction(engine) as session:
        restored, replaced = rollback_champion(session, reason=reason)
        if restored != former.model_id:
            raise RegistryError(f"model {replaced}: became the champion at this moment; nothing was changed")
    typer.echo(f"model {restored} serves again; {replaced} is retired")


def _rank_anew(job_ids: list[int], work: Callable[[], None]) -> None:
    if job_ids:
        jobs = "1 job" if len(job_ids) == 1 else f"{len(job_ids)} jobs"
        typer.echo(f"flagged images of {jobs} that nobody was shown yet are ranked anew by it")
        work()


def _line(model: ModelVersion) -> str:
    metrics = model.card.metrics
    figures = [f"{name} {metrics[name]:.3f}" for name in ("accuracy", "log_loss") if name in metrics]
    return "  ".join([model.model_id, f"{model.state:9}", model.created_at[:16], *figures])


def _as_json(model: ModelVersion) -> dict[str, object]:
    from db.domain.cards import plain_card

    return {
        "model": model.model_id,
        "state": str(model.state),
        "created_at": model.created_at,
        "sha256": model.sha256,
        "note": model.note,
        "card": plain_card(model.card),
    }
