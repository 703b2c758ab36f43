"""What `--json` of commands prints that is no value of ours, as types; `cli.json_schemas` makes schemas of them."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


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


class FoundCamerasDocument(TypedDict):
    """What a search for cameras came to: `worker.cameras.find.FoundCameras`, with readable paths."""

    looked_at: int
    cameras: dict[str, int]
    by_metadata: int
    alone: int
    left: int
    unreadable: list[tuple[str, str]]


class RetrainDocument(TypedDict):
    """What came of a retraining; one that was not begun has a state and a note alone. figures: by name."""

    state: str
    note: str
    dataset: NotRequired[int]
    dataset_sha256: NotRequired[str]
    images: NotRequired[int]
    held_out_cameras: NotRequired[list[str]]
    unreadable: NotRequired[list[list[str]]]
    model: NotRequired[str | None]
    champion: NotRequired[str | None]
    figures: NotRequired[dict[str, float] | None]
    champion_figures: NotRequired[dict[str, float] | None]


class MetSpecies(TypedDict):
    """How often one person's species met another's."""

    species: tuple[str, str]
    times: int


class ReviewersDocument(TypedDict):
    """Where people differ: `annotator.corrections.reviewers.ReviewersReport`, its pairs as a list."""

    images: int
    pairs: int
    agreeing: int
    confusion: list[MetSpecies]
    mean_iou: float | None
    open_cases: list[str]


class SimulatedDocument(TypedDict):
    """What a simulated person did in a folder."""

    answered: int
    problems: list[str]


class PlanDocument(TypedDict):
    """A review plan before anyone looks. expected, curve: what so many images are expected to tell."""

    job: int
    model: str
    targets: list[str]
    free: int
    decided: int
    images: int
    certain: int
    drawn: int
    unit: str
    units: int
    seed: int
    hours: float
    seconds_per_image: float
    seconds_measured: bool
    by_camera: dict[str, int]
    export: str | None
    folder: str | None
    problems: list[str]


class ScheduleDocument(TypedDict):
    """When a retraining is due. times: ISO 8601 with their zone."""

    cron: str | None
    since: str | None
    next_at: str | None
    corrected: int
    retrain_after: int | None
    due: str | None
