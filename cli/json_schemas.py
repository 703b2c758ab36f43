"""JSON schemas of what each command prints with `--json`, made of its types: `cli schema NAME`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cli.json_documents import (
    BackupDocument,
    CancelDocument,
    FishSizeDocument,
    FoundCamerasDocument,
    LabelImportDocument,
    ModelDocument,
    ModelShowDocument,
    PlanDocument,
    RemovedDocument,
    ResultsDocument,
    RetrainDocument,
    ReviewersDocument,
    ReviewExportDocument,
    ScheduleDocument,
    SimulatedDocument,
    SpeciesListDocument,
    StatusDocument,
    UndoneDocument,
    WorkDocument,
)

Schema = dict[str, Any]


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


def _found_events() -> Schema:
    from worker.steps.requests import FindEventsResult

    return _schema(FindEventsResult, counts=dict[str, dict[str, int]])


def _events() -> Schema:
    from pydantic import TypeAdapter

    from db.domain.events import Event

    listed = TypeAdapter(list[Event]).json_schema(mode="serialization")
    event = listed["$defs"]["Event"]
    event["properties"]["species"] = {"type": "string"}
    event["required"] = [*event["required"], "species"]
    counts = TypeAdapter(dict[str, dict[str, int]]).json_schema()
    properties = {"events": {"type": "array", "items": listed["items"]}, "counts": counts}
    return {"$defs": listed["$defs"], "type": "object", "properties": properties, "required": [*properties]}


def _calibration() -> Schema:
    from annotator.uncertainty.calibrate import ErrorCalibration

    return _schema(ErrorCalibration, model=str)


def _plan() -> Schema:
    from annotator.catch.plan import Expected

    return _schema(PlanDocument, expected=Expected, curve=list[Expected])


def _simulated() -> Schema:
    from annotator.simulation.effort import Effort

    return _schema(SimulatedDocument | Effort)  # the former of a folder, the latter of orders of looking


def _sample() -> Schema:
    from worker.sample_fleet.write import FleetSummary
    from worker.sample_fleet.write_sequences import SequencesSummary

    return {"anyOf": [_schema(FleetSummary, folder=str), _schema(SequencesSummary, folder=str)]}  # with --sequences


def _schedule() -> Schema:
    from db.domain.retrainings import Retraining

    return _schema(ScheduleDocument, retrainings=list[Retraining])


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
    "cameras find": lambda: _schema(FoundCamerasDocument),
    "events find": _found_events,
    "events list": _events,
    "retrain": lambda: _schema(RetrainDocument),
    "review calibrate": _calibration,
    "review people": lambda: _schema(ReviewersDocument),
    "review plan": _plan,
    "review simulate": _simulated,
    "sample": _sample,
    "schedule show": _schedule,
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
        inner = TypeAdapter(added).json_schema(mode="serialization")
        found.setdefault("$defs", {}).update(inner.pop("$defs", {}))  # references are from the root
        found["properties"][name] = inner
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
