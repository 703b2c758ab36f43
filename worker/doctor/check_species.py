"""Whether labels, the serving model and the project's label set speak of the same species."""

from __future__ import annotations

from db.migrate import open_database
from db.session import reading
from db.settings import Settings
from db.store.model_versions import champion_id, get_model
from db.store.species import count_said, held_label_set
from worker.doctor.checks import Check, CheckState

_NAME = "species"
_SHOWN = 6


def check_species(settings: Settings) -> Check:
    """Return whether every species that is labelled is one of the label set, and known to the champion."""
    engine = open_database(settings.database)
    try:
        with reading(engine) as session:
            label_set, said = held_label_set(session), count_said(session)
            champion = champion_id(session)
            learnt = get_model(session, champion).card.species if champion is not None else None
    finally:
        engine.dispose()
    if label_set is None:
        return Check(_NAME, CheckState.GOOD, "none decided yet; the first import takes those of its files")
    strange = [name for name in said if name not in label_set]
    if strange:
        return Check(_NAME, CheckState.BAD, f"labelled, and no species: {_few(strange)}", "cli species add, or alias")
    named = set(label_set.names) if learnt is None else {label_set.named(name) for name in learnt}
    unlearnt = [name for name in label_set.names if name not in named]
    if unlearnt:
        found = f"model {champion} has not learnt {_few(unlearnt)}"
        return Check(_NAME, CheckState.ODD, found, "label some, then cli retrain")
    return Check(_NAME, CheckState.GOOD, _few(list(label_set.names)))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
