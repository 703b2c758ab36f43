"""The registry of model versions: one champion, and a record of every change of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.domain.card_facts import facts_of
from db.domain.cards import card_from_plain
from db.domain.model_versions import ModelCard, ModelState
from db.domain.train_choices import SIZED_HEATMAP_STRIDE_PX
from db.errors import NotFoundError, TaffrailError
from db.store.champion_items import point_items_at
from db.tables.models import ModelVersionRow, PromotionRow


class RegistryError(TaffrailError):
    """A change of the registry that makes no sense as asked."""


@dataclass(frozen=True)
class ModelVersion:
    """A model version as registered. note: why it is in its state; created_at: ISO 8601, UTC.

    card_held: plain JSON, as it was written; `card` reads it. sha256: of model.keras; crops_sha256: of crops.keras,
    None where there is no second stage.
    """

    model_id: str
    state: ModelState
    sha256: str
    card_held: dict[str, object]
    note: str
    created_at: str
    crops_sha256: str | None = None

    @property
    def card(self) -> ModelCard:
        """The card, in today's form.

        Raises:
            RegistryError: what is held is no card.
        """
        try:
            return card_from_plain(self.card_held)
        except ValueError as error:
            raise RegistryError(f"model {self.model_id}: its row holds no model card ({error})") from error


@dataclass(frozen=True)
class Promotion:
    """One change of the champion."""

    model_id: str
    previous_id: str | None
    reason: str
    forced: bool
    promoted_at: str


def register_model(
    session: Session,
    model_id: str,
    *,
    sha256: str,
    card: dict[str, object],
    note: str,
    crops_sha256: str | None = None,
    dataset_id: int | None = None,
    may_serve: bool = True,
) -> ModelState:
    """Return the state a new version got: a candidate, or champion where there was none at all and it may serve.

    dataset_id: what it learnt from.
    """
    row = ModelVersionRow(
        id=model_id,
        state=ModelState.CANDIDATE,
        sha256=sha256,
        crops_sha256=crops_sha256,
        card=card,
        note=note,
        created_at=datetime.now(UTC),
        dataset_id=dataset_id,
    )
    session.add(row)
    session.flush()
    if not may_serve or session.scalar(select(exists().where(ModelVersionRow.state == ModelState.CHAMPION))):
        return ModelState.CANDIDATE
    try:
        with session.begin_nested():
            promote(session, model_id, reason="the first model", forced=False)
    except IntegrityError:
        return ModelState.CANDIDATE  # another first model came at the same moment
    return ModelState.CHAMPION


def promote(session: Session, model_id: str, *, reason: str, forced: bool) -> str | None:
    """Make a version the champion; return the one before. The caller commits: one transaction, one champion.

    Items of jobs that follow the champion show what it said, where it has spoken before.

    Raises:
        NotFoundError: no such version. RegistryError: it is the champion already.
    """
    row = _held(session, model_id)
    if row.state == ModelState.CHAMPION:
        raise RegistryError(f"model {model_id}: is the champion already")
    previous = session.scalars(
        select(ModelVersionRow).where(ModelVersionRow.state == ModelState.CHAMPION).with_for_update()
    ).one_or_none()
    if previous is not None:
        previous.state = ModelState.RETIRED
        session.flush()
    session.execute(update(ModelVersionRow).where(ModelVersionRow.id == model_id).values(state=ModelState.CHAMPION))
    previous_id = previous.id if previous else None
    session.add(
        PromotionRow(
            model_version_id=model_id,
            previous_id=previous_id,
            reason=reason,
            forced=forced,
            promoted_at=datetime.now(UTC),
        )
    )
    session.flush()
    point_items_at(session, model_id)
    return previous_id


def rollback_champion(session: Session, *, reason: str) -> tuple[str, str]:
    """Bring back the champion before this one; return (restored, replaced).

    Raises:
        RegistryError: there is no champion, or none before it.
    """
    former, current = champion_before(session)
    promote(session, former, reason=f"{_ROLLBACK} of {current}: {reason}", forced=True)
    return former, current


def champion_before(session: Session) -> tuple[str, str]:
    """Return the champion that a rollback would bring back, and the one that serves now.

    A promotion that was itself taken back is passed over: repeated, a rollback goes further back.
    Raises:
        RegistryError: there is no champion, or none before it.
    """
    current = session.scalar(select(ModelVersionRow.id).where(ModelVersionRow.state == ModelState.CHAMPION))
    if current is None:
        raise RegistryError("there is no champion to roll back")
    came = session.scalars(
        select(PromotionRow)
        .where(PromotionRow.model_version_id == current, PromotionRow.reason.not_like(f"{_ROLLBACK}%"))
        .order_by(PromotionRow.id.desc())
        .limit(1)
    ).one_or_none()
    if came is None or came.previous_id is None:
        raise RegistryError(f"model {current}: was the first champion; there is none before it")
    return came.previous_id, current


def get_model(session: Session, model_id: str) -> ModelVersion:
    """Return a version.

    Raises:
        NotFoundError: no such version.
    """
    return _version(_held(session, model_id))


def is_registered(session: Session, model_id: str) -> bool:
    """Return whether there is such a version."""
    return session.get(ModelVersionRow, model_id) is not None


def get_champion(session: Session) -> ModelVersion | None:
    """Return the champion, None before there is one."""
    query = select(ModelVersionRow).where(ModelVersionRow.state == ModelState.CHAMPION)
    row = session.scalars(query).one_or_none()
    return _version(row) if row is not None else None


def models_of_dataset(session: Session, dataset_id: int) -> list[str]:
    """Return the ids of the versions that learnt from a data set, the oldest first."""
    query = select(ModelVersionRow.id).where(ModelVersionRow.dataset_id == dataset_id)
    return list(session.scalars(query.order_by(ModelVersionRow.created_at, ModelVersionRow.id)))


def list_models(session: Session) -> list[ModelVersion]:
    """Return every version, the newest first."""
    query = select(ModelVersionRow).order_by(ModelVersionRow.created_at.desc(), ModelVersionRow.id.desc())
    return [_version(row) for row in session.scalars(query)]


def list_promotions(session: Session) -> list[Promotion]:
    """Return every change of the champion, the newest first."""
    return [
        Promotion(row.model_version_id, row.previous_id, row.reason, row.forced, _iso(row.promoted_at))
        for row in session.scalars(select(PromotionRow).order_by(PromotionRow.id.desc()))
    ]


_ROLLBACK = "rollback"


def _held(session: Session, model_id: str) -> ModelVersionRow:
    row = session.get(ModelVersionRow, model_id)
    if row is None:
        raise NotFoundError(f"model {model_id!r}: not held; `cli models list` shows those that are")
    return row


def _version(row: ModelVersionRow) -> ModelVersion:
    return ModelVersion(
        row.id, ModelState(row.state), row.sha256, row.card, row.note, _iso(row.created_at), row.crops_sha256
    )


def _iso(moment: datetime) -> str:
    # SQLite gives back times without their zone; all of ours are UTC.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


@dataclass(frozen=True)
class ModelFrame:
    """What places a model's heat maps on an image: rows and columns of its base input, and the species axis.

    stride_px: input pixels a cell of its heat maps, where its input follows the camera; None where it does not.
    """

    input_hw: tuple[int, int]
    species: tuple[str, ...]
    stride_px: int | None = None

    def input_of(self, heatmap_hw: tuple[int, int]) -> tuple[int, int]:
        """Return the input that a heat map of these rows and columns was made at."""
        if self.stride_px is None:
            return self.input_hw
        return heatmap_hw[0] * self.stride_px, heatmap_hw[1] * self.stride_px


def champion_id(session: Session) -> str | None:
    """Return the champion's id, None before there is one."""
    return session.scalar(select(ModelVersionRow.id).where(ModelVersionRow.state == ModelState.CHAMPION.value))


def has_model(session: Session, model_version: str) -> bool:
    """Return whether a model version is held."""
    return session.get(ModelVersionRow, model_version) is not None


def frame_of_model(session: Session, model_version: str) -> ModelFrame | None:
    """Return what places a model's heat maps; None where its card does not say."""
    card = session.scalar(select(ModelVersionRow.card).where(ModelVersionRow.id == model_version)) or {}
    facts = facts_of(card)
    if facts.input_hw is None or not facts.species:
        return None
    return ModelFrame(facts.input_hw, facts.species, SIZED_HEATMAP_STRIDE_PX if facts.sized else None)


def said_against(session: Session, models: Sequence[str]) -> list[str]:
    """Return what models say against themselves on their cards, a line each: that they are blind, and cautions."""
    lines = []
    for model_id in models:
        card = session.scalar(select(ModelVersionRow.card).where(ModelVersionRow.id == model_id)) or {}
        lines += [f"model {model_id} {text}" for text in facts_of(card).against]
    return lines
