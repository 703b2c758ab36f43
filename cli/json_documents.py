"""What `--json` of each command prints, as types; `cli schema NAME` makes JSON schemas of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NotRequired

from typing_extensions import TypedDict

Schema = dict[str, Any]


class FailedFile(TypedDict):
    """A file without a result, and why."""

    file: str
    failure: str


class NotedFile(TypedDict):
    """A file that was used all the same, and what is odd about it."""

    file: str
    note: str


class Problem(TypedDict):
    """What could not be looked at, and why."""

    place: str
    problem: str


class JobDocument(TypedDict):
    """A job and its counts of images. created_at: ISO 8601, UTC."""

    job: int
    folder: str
    model: str | None
    created_at: str
    state: str
    total: int
    done: int
    pending: int
    failed: int
    quarantined: int
    cancelled: int


class StatusDocument(JobDocument):
    """As `cli status` prints it; reasons and failures where one job was asked for."""

    stale: int
    reasons: NotRequired[dict[str, int]]
    failures: NotRequired[list[FailedFile]]


class WorkDocument(JobDocument):
    """What came of a job; skipped and problems: of the look at the folder, by `cli enqueue`."""

    cautions: list[str]
    reasons: dict[str, int]
    failures: list[FailedFile]
    notes: list[NotedFile]
    skipped: NotRequired[dict[str, object]]
    problems: NotRequired[list[Problem]]


class CancelDocument(TypedDict):
    """How many images were cancelled."""

    job: int
    cancelled: int


class ReviewExportDocument(TypedDict):
    """What was written for a person. duplicates: images that are answered by those; problems: images left out."""

    export: str
    folder: str
    images: int
    duplicates: int
    first_boxes: int
    problems: list[str]


class ResultsDocument(TypedDict):
    """What was exported. images: counts by state."""

    out: str
    written: int
    images: dict[str, int]
    problems: list[str]
    left_out: int


class RemovedDocument(TypedDict):
    """What was removed, by kind."""

    removed: dict[str, int]


class UndoneDocument(TypedDict):
    """Which import of labels was taken back. images: whose label that was."""

    # "import" is a keyword, so the key is added by the schema.
    path: str | None
    images: int


class LabelImportDocument(TypedDict):
    """What became of labels. import_id: None where nothing changed; cameras: images by camera, where found."""

    import_id: int | None
    labelled: int
    changed: int
    boxes: int
    left_out: int
    unlabelled: int
    cameras: NotRequired[dict[str, int]]
    species: dict[str, int]
    skipped: dict[str, object]
    notes: list[str]
    problems: list[str]


class FishSizeDocument(TypedDict):
    """How large a camera shows fish, pixels of the nominal frame, and what that means for the network's input."""

    camera: str
    fish_px: float | None
    known: str | None
    zoom: float
    cost: float


class SpeciesDocument(TypedDict):
    """One species. images: labelled or corrected ones."""

    name: str
    aliases: list[str]
    images: int


class SpeciesListDocument(TypedDict):
    """The label set. decided: it is held, not the default."""

    decided: bool
    species: list[SpeciesDocument]


class ModelDocument(TypedDict):
    """A model version. card: docs/detector.md."""

    model: str
    state: str
    created_at: str
    sha256: str
    note: str
    card: dict[str, object]


class ModelShowDocument(ModelDocument):
    """A model version with the promotions that it had a part in."""

    promotions: list[dict[str, object]]


class BackupDocument(TypedDict):
    """An archive. missing: files that the database names and the disk lacks."""

    files: int
    size_bytes: int
    missing: list[str]


def _doctor() -> Schema:
    from worker.doctor.checks import Check

    return _schema(list[Check])


def _label_imports() -> Schema:
    from db.domain.label_imports import LabelImportSummary

    return _schema(list[LabelImportSummary])


def _undone() -> Schema:
    found = _schema(UndoneDocument)
    found["properties"]["import"] = {"type": "integer"}
    found["required"].append("import")
    return found


def _cameras() -> Schema:
    from db.domain.cameras import CameraSummary

    return _schema(list[CameraSummary])


def _review_import() -> Schema:
    from annotator.corrections.import_corrections import ImportSummary

    return _schema(ImportSummary, ranked_anew=list[str], fish_sizes=dict[str, float])


def _audit_agreement() -> Schema:
    from annotator.uncertainty.audit import AgreementAudit

    return _schema(AgreementAudit)


def _audit_detector() -> Schema:
    from annotator.uncertainty.other_detector import DetectorComparison

    return _schema(DetectorComparison)


def _train() -> Schema:
    from worker.steps.requests import TrainEventsResult, TrainResult

    return _step(TrainResult | TrainEventsResult)  # the latter with --events


def _evaluate() -> Schema:
    from worker.steps.requests import EvaluateEventsResult, EvaluateResult

    return _step(EvaluateResult | EvaluateEventsResult)  # the latter with --events


def _leakage() -> Schema:
    from worker.steps.requests import LeakageResult

    return _step(LeakageResult)


def _optimise() -> Schema:
    from worker.steps.requests import OptimiseResult

    return _step(OptimiseResult)


def _look() -> Schema:
    from worker.steps.requests import LookResult

    return _step(LookResult)


def _report() -> Schema:
    from worker.report.write import Report

    return _schema(Report, out=str, zip=str | None)


def _summary() -> Schema:
    from db.domain.catch import CatchSummary

    return _schema(CatchSummary)


def _explain() -> Schema:
    from db.domain.lineage import Story

    return _schema(Story)


DOCUMENTS: dict[str, Callable[[], Schema]] = {
    "status": lambda: _schema(list[StatusDocument]),
    "enqueue": lambda: _schema(WorkDocument),
    "resume": lambda: _schema(WorkDocument),
    "retry": lambda: _schema(WorkDocument),
    "cancel": lambda: _schema(CancelDocument),
    "results": lambda: _schema(ResultsDocument),
    "review export": lambda: _schema(ReviewExportDocument),
    "review import": _review_import,
    "delete job": lambda: _schema(RemovedDocument),
    "delete trip": lambda: _schema(RemovedDocument),
    "delete person": lambda: _schema(RemovedDocument),
    "labels list": _label_imports,
    "labels import": lambda: _schema(LabelImportDocument),
    "labels export": lambda: _schema(ResultsDocument),
    "labels undo": _undone,
    "species list": lambda: _schema(SpeciesListDocument),
    "cameras list": _cameras,
    "cameras scale": lambda: _schema(list[FishSizeDocument]),
    "report": _report,
    "summary": _summary,
    "explain": _explain,
    "models look": _look,
    "models list": lambda: _schema(list[ModelDocument]),
    "models show": lambda: _schema(ModelShowDocument),
    "models optimise": _optimise,
    "audit agreement": _audit_agreement,
    "audit leakage": _leakage,
    "audit detector": _audit_detector,
    "train": _train,
    "evaluate": _evaluate,
    "backup": lambda: _schema(BackupDocument),
    "restore": lambda: _schema(BackupDocument),
    "doctor": _doctor,
}


def schema_of(name: str) -> Schema:
    """Return the JSON schema of what a command prints with `--json`. name: such as `models list`; KeyError if none."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_closed(DOCUMENTS[name]()),
        "title": f"cli {name} --json",
    }


def _schema(kind: Any, **more: Any) -> Schema:
    """Return the schema of a type; more: keys that the command adds to it."""
    from pydantic import TypeAdapter

    found = TypeAdapter(kind).json_schema(mode="serialization")
    for name, added in more.items():
        found["properties"][name] = TypeAdapter(added).json_schema(mode="serialization")
        found["required"] = [*found.get("required", []), name]
    return found


def _step(kind: Any) -> Schema:
    """Return the schema of a step's result, which leaves out what has its default."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).json_schema(mode="validation")


def _closed(schema: Any) -> Any:
    """Return a schema whose objects have no other keys than it names."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        found["additionalProperties"] = False
    return found
