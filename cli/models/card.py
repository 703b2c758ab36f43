"""What `cli models show` prints: where a model version comes from, its figures, what the gate said, when it served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.domain.model_versions import ModelCard, SecondStage
    from db.store.model_versions import ModelVersion, Promotion

_FIRST = ("accuracy", "balanced_accuracy", "log_loss", "calibration_error")
_FIRST_STAGE = "first_stage_"
_CHAMPION = "champion_"
_COUNTS = ("images", "crops")


def card_lines(model: ModelVersion, changes: Sequence[Promotion]) -> Iterator[str]:
    """Yield the lines that tell all of a model version. changes: of the champion that it was a part of."""
    card = model.card
    yield from _origin(card)
    yield from (f"  {line}" for line in note_lines(model.note))
    yield from (f"  it {text}" for text in (*card.blind, *card.cautions))
    yield from _figures(card)
    if card.second_stage is not None:
        yield from _second_stage(card.second_stage)
    yield from _groups("images", card.metrics_by)
    for change in changes:
        forced = " (forced)" if change.forced else ""
        before = f"after {change.previous_id}" if change.previous_id else "the first one"
        yield f"  {change.promoted_at[:19]}  {change.model_id} serves, {before}{forced}: {change.reason}"


def note_lines(note: str) -> list[str]:
    """Return why a version is in its state, a reason a line.

    >>> note_lines("not surely better; log loss +0.2")
    ['not surely better', 'log loss +0.2']
    """
    return [part for part in note.split("; ") if part]


def _origin(card: ModelCard) -> Iterator[str]:
    rows, columns = card.input_hw
    yield f"  {card.trunk} at {rows}x{columns}, heads {', '.join(card.heads)}"
    learnt = f"data set {card.dataset_sha256[:12]}" if card.dataset_sha256 else "an unknown data set"
    cameras = card.folds[0] if card.folds else ()
    evaluated = f"evaluated on {', '.join(cameras)}" if cameras else "evaluated on images drawn at random"
    if (kept := card.record.epoch_kept) is not None:
        yield "  epoch kept: " + (kept if isinstance(kept, str) else ", ".join(f"{k} {v}" for k, v in kept.items()))
    yield f"  learnt from {learnt}" + (f", like {card.parent}" if card.parent else "") + f"; {evaluated}"
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    yield f"  {card.train_seconds:.0f} s: {card.command or 'no command'} ({versions})"


def _figures(card: ModelCard) -> Iterator[str]:
    """The final answer's figures, the first stage's and the champion's of that time beside them, then all others."""
    metrics = card.metrics
    columns = {"model": {name: metrics[name] for name in _FIRST if name in metrics}}
    columns["first stage alone"] = {
        name: metrics[_FIRST_STAGE + name] for name in _FIRST if _FIRST_STAGE + name in metrics
    }
    if card.gate is not None and card.gate.champion_figures:
        columns[f"champion then ({card.gate.champion})"] = card.gate.champion_figures
    if columns["model"]:
        yield "  images of cameras it has not seen:"
        yield from _table({name: column for name, column in columns.items() if column}, only=_FIRST)
    for name, value in sorted(metrics.items()):
        if name not in _FIRST and not name.startswith(_FIRST_STAGE):
            yield f"  {name:32} {_shown(name, value)}"


def _second_stage(part: SecondStage) -> Iterator[str]:
    if not part.metrics:
        yield f"  second stage ({part.method}), not evaluated by single crops on these cameras"
        return
    yield f"  second stage ({part.method}), by single crops:"
    yield from _table({"all": part.metrics})
    yield from _groups("crops", part.metrics_by)


def _groups(what: str, metrics_by: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Iterator[str]:
    for kind, groups in metrics_by.items():
        yield f"  {what} by {kind}:"
        yield from _table(groups)


def _table(rows: Mapping[str, Mapping[str, float]], *, only: Sequence[str] = ()) -> Iterator[str]:
    """Yield a table, a row a group; a figure's champion stands beside it."""
    names = list(only) or sorted({name for row in rows.values() for name in row}, key=_place)
    titles = [name.replace("_", " ") for name in names]
    first = max(len(name) for name in rows)
    yield f"    {'':{first}}  " + "  ".join(titles)
    for group, row in rows.items():
        cells = [_shown(name, row[name]) if name in row else "" for name in names]
        yield f"    {group:{first}}  " + "  ".join(
            f"{cell:>{len(title)}}" for cell, title in zip(cells, titles, strict=True)
        )


def _place(name: str) -> tuple[bool, str, bool]:
    plain = name.removeprefix(_CHAMPION)
    return plain not in _COUNTS, plain, name != plain


def _shown(name: str, value: float) -> str:
    return f"{value:.0f}" if name in _COUNTS else f"{value:.3f}"
