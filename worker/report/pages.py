"""Renders the report's pages; every value goes through Jinja's escaping, because file names may be hostile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from db.domain.catch import CatchSummary
from db.domain.events import Event, count_events
from db.domain.jobs import ItemState, Job
from db.domain.species import LabelSet
from worker.report.catch import MOST_LINES, contributions_of, missed_text, parts_of
from worker.report.compared import ComparedPair
from worker.report.events import TIMELINE_UNITS, CameraDay
from worker.report.missed import MissedImages, missed_words
from worker.report.review import changes_of, confusions_of
from worker.report.summary import AGREEMENT_BINS, Summary


@dataclass(frozen=True)
class Bar:
    """One bar of a chart. share: of the largest, 0..1. filter: what the images' page is to show."""

    name: str
    count: int
    share: float
    filter: str


@dataclass(frozen=True)
class AgreementBar:
    """One step of the agreement's histogram: all images and the flagged among them; shares: of the tallest step."""

    name: str
    count: int
    flagged: int
    share: float
    flagged_share: float


@dataclass(frozen=True)
class GroupLine:
    """One camera's, day's or trip's counts, in the label set's order; shares: of its images, for the shade.

    filter: what the images' page is to show, '' where it has no such filter.
    """

    name: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    total: int
    filter: str


@dataclass(frozen=True)
class Group:
    """One table of the overview: species by what its lines stand for."""

    title: str
    head: str
    lines: tuple[GroupLine, ...]


def render_overview(
    job: Job, summary: Summary, label_set: LabelSet, missed: Sequence[MissedImages], *, nonce: str
) -> str:
    """Return the overview page. missed: of each model of the job."""
    return _render(
        "index.html",
        nonce=nonce,
        job=job,
        folder=_text(job.root),
        summary=summary,
        missed=[(one, missed_words(one)) for one in missed],
        evaluated=sum(summary.species.values()),
        waiting=summary.states[ItemState.PENDING] + summary.states[ItemState.CANCELLED],
        failed=sum(summary.reasons.values()),
        species=_bars([(name, summary.species[name]) for name in label_set.names if summary.species[name]], "species"),
        reasons=_bars(summary.reasons.most_common(), "reason"),
        agreement=_agreement_bars(summary),
        label_set=[name for name in label_set.names if summary.species[name]],
        groups=_groups(summary, label_set),
    )


def render_images(job: Job, summary: Summary, data_scripts: Sequence[str], *, nonce: str) -> str:
    """Return the page of images; its script fills it from the data's scripts, which are loaded in their order."""
    return _render(
        "images.html",
        nonce=nonce,
        job=job,
        folder=_text(job.root),
        shown=len(summary.chosen),
        total=sum(summary.species.values()),
        scripts=[*data_scripts, "report.js"],
    )


def render_review(
    job: Job,
    summary: Summary,
    label_set: LabelSet,
    missed: Sequence[MissedImages],
    pairs: Sequence[ComparedPair],
    *,
    nonce: str,
) -> str:
    """Return the page of what people changed. missed: of each model of the job. pairs: versions that are compared."""
    return _render(
        "review.html",
        nonce=nonce,
        job=job,
        folder=_text(job.root),
        summary=summary,
        missed=[(one, missed_words(one)) for one in missed],
        evaluated=summary.evaluated,
        pairs=pairs,
        confusions=confusions_of(summary.review, label_set.names),
        changes=changes_of(summary.review, summary.species, summary.fish, label_set.names),
    )


def render_catch(job: Job, summaries: Sequence[CatchSummary], *, nonce: str) -> str:
    """Return the page of catch figures. summaries: of the whole job first, then by groups; none before any answer."""
    return _render(
        "catch.html",
        nonce=nonce,
        job=job,
        folder=_text(job.root),
        parts=parts_of(summaries),
        missed=missed_text(summaries[0]) if summaries else "",
        contributions=contributions_of(summaries[0]) if summaries else [],
    )


def render_events(job: Job, days: Sequence[CameraDay], events: Sequence[Event], *, nonce: str) -> str:
    """Return the page of events: a timeline for each camera and day, and each animal with its images."""
    return _render(
        "events.html",
        nonce=nonce,
        job=job,
        folder=_text(job.root),
        days=days,
        counts=count_events(list(events)),
        units=TIMELINE_UNITS,
    )


def _render(template: str, **values: object) -> str:
    loader = PackageLoader("worker.report")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda share: f"{share:.0%}"
    environment.filters["count"] = lambda number: f"{number:,}"
    return environment.get_template(template).render(**values)


def _bars(counts: Iterable[tuple[str, int]], key: str) -> list[Bar]:
    held = list(counts)
    most = max((count for _, count in held), default=1)
    return [Bar(name, count, count / most, f"{key}={quote(name, safe='')}") for name, count in held]


def _agreement_bars(summary: Summary) -> list[AgreementBar]:
    most = max(1, *summary.agreement_bins)
    step = 1 / AGREEMENT_BINS
    return [
        AgreementBar(f"{place * step:.2f} to {(place + 1) * step:.2f}", count, flagged, count / most, flagged / most)
        for place, (count, flagged) in enumerate(zip(summary.agreement_bins, summary.flagged_bins, strict=True))
    ]


def _groups(summary: Summary, label_set: LabelSet) -> list[Group]:
    """Return the tables by camera, day and trip; the latter where they are known and tell more than the cameras do."""
    names = [name for name in label_set.names if summary.species[name]]
    groups = [Group("Cameras", "camera", _lines(summary.by_camera, names, "camera", unknown=""))]
    if summary.by_day.keys() - {""}:
        groups.append(Group("Days", "day", _lines(summary.by_day, names, "day", unknown="no time known")))
    if len(summary.by_trip) > 1 and summary.by_trip.keys() != summary.by_camera.keys():
        groups.append(Group("Trips", "trip", _lines(summary.by_trip, names, "trip", unknown="the job's own folder")))
    return [group for group in groups if group.lines]


def _lines(
    counted: Mapping[str, Mapping[str, int]], names: Sequence[str], key: str, *, unknown: str
) -> tuple[GroupLine, ...]:
    lines = []
    for name, counts in sorted(counted.items()):
        total = sum(counts.values())
        row = tuple(counts.get(species, 0) for species in names)
        shares = tuple(count / total for count in row)
        lines.append(GroupLine(name or unknown, row, shares, total, f"{key}={quote(name, safe='')}" if name else ""))
    return tuple(lines[:MOST_LINES])


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
