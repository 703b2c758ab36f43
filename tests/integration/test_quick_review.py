"""A quick review: what is pressed becomes the same answers as labelme's, at once; several people, undo, strangers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from annotator.quick.answer import QuickAnswer, QuickRefused, Verdict
from annotator.quick.app import create_app
from annotator.quick.page import LENT_FOR, next_page
from annotator.quick.review import QuickReview
from db.domain.corrections import Change, CorrectionOutcome
from db.domain.species import DEFAULT_LABEL_SET, NO_FISH
from db.session import reading
from db.store.results import iterate_results
from db.store.review_queue import answered_predictions
from db.store.reviews import current_corrections, history_of
from db.tables.jobs import JobRow
from tests.factories import finished_job, write_images


@pytest.fixture
def job(engine: Engine, tmp_path: Path) -> int:
    """A job of six images that were answered by a model which boxes one fish in most of them."""
    home = tmp_path / "home"
    write_images(tmp_path / "images" / "boat_1", 6)
    finished_job(engine, home, tmp_path / "images")
    with reading(engine) as session:
        return session.scalars(select(JobRow.id)).one()


def review_of(engine: Engine, job: int, reviewer: str = "ana", *, page_size: int = 60) -> QuickReview:
    return QuickReview(engine, job, label_set=DEFAULT_LABEL_SET, reviewer=reviewer, page_size=page_size)


def said_of(engine: Engine) -> dict[str, CorrectionOutcome]:
    with reading(engine) as session:
        return {sha256: said.outcome for sha256, said in current_corrections(session).items()}


def test_a_page_begins_with_what_is_likeliest_wrong_and_shows_the_answers_boxes(engine: Engine, job: int) -> None:
    page = review_of(engine, job).page(anew=False)

    wrong = [float(one.item.why.split()[4].rstrip(":")) for one in page.items.values()]
    assert len(page.items) == 6 and wrong == sorted(wrong, reverse=True)
    for one in page.items.values():
        assert one.item.answer is not None
        assert bool(one.item.answer.boxes) == (one.group != NO_FISH)


def test_a_confirmed_row_is_stored_at_once_and_not_shown_again(engine: Engine, job: int) -> None:
    review = review_of(engine, job)
    page = review.page(anew=False)

    stored = review.answer(page.export_id, [QuickAnswer(number, Verdict.CONFIRM) for number in (1, 2)])

    confirmed = {page.items[number].item.sha256 for number in (1, 2)}
    assert stored == 2 and set(said_of(engine)) == confirmed
    assert set(said_of(engine).values()) <= {CorrectionOutcome.CONFIRMED, CorrectionOutcome.CONFIRMED_EMPTY}
    assert list(review.page(anew=False).items) == [3, 4, 5, 6]


def test_a_box_that_is_named_anew_or_taken_away_is_a_correction_of_that_detection(engine: Engine, job: int) -> None:
    review = review_of(engine, job)
    page = review.page(anew=False)
    renamed, emptied = [one for one in page.items.values() if one.item.answer and one.item.answer.boxes][:2]
    other = "DOL" if renamed.group != "DOL" else "YFT"

    review.answer(
        page.export_id,
        [
            QuickAnswer(renamed.number, Verdict.CHANGE, {"a1": other}),
            QuickAnswer(emptied.number, Verdict.CHANGE, {"a1": NO_FISH}),
        ],
    )

    with reading(engine) as session:
        held = current_corrections(session)
    first, second = held[renamed.item.sha256], held[emptied.item.sha256]
    assert first.label is not None and first.label.species == other
    assert [(one.change, one.detection_id) for one in first.changes] == [
        (Change.RELABELLED, renamed.item.answer.boxes[0].detection_id)  # type: ignore[union-attr]
    ]
    assert (second.outcome, second.label.species if second.label else None) == (
        CorrectionOutcome.CONFIRMED_EMPTY,
        NO_FISH,
    )


def test_an_answer_that_is_withdrawn_counts_nowhere_and_stays_in_the_history(engine: Engine, job: int) -> None:
    review = review_of(engine, job)
    page = review.page(anew=False)
    review.answer(page.export_id, [QuickAnswer(1, Verdict.CONFIRM)])

    review.answer(page.export_id, [QuickAnswer(1, Verdict.WITHDRAW)])

    with reading(engine) as session:
        history = [said.outcome for said in history_of(session, page.items[1].item.sha256)]
        assert answered_predictions(session, model_version="noop") == []
    assert said_of(engine) == {} and history[-1] is CorrectionOutcome.WITHDRAWN and len(history) == 2
    assert 1 in review.page(anew=False).items, "it is asked again"
    review.answer(page.export_id, [QuickAnswer(1, Verdict.CONFIRM)])
    assert len(said_of(engine)) == 1, "and can be answered again"


def test_two_people_are_never_shown_the_same_image_until_a_page_is_given_back(engine: Engine, job: int) -> None:
    ana, ben = review_of(engine, job, page_size=4), review_of(engine, job, "ben", page_size=4)

    first, second = ana.page(anew=False), ben.page(anew=False)
    shown = [{one.item.sha256 for one in page.items.values()} for page in (first, second)]
    assert (len(shown[0]), len(shown[1]), shown[0] & shown[1]) == (4, 2, set())

    ana.answer(first.export_id, [QuickAnswer(1, Verdict.CONFIRM)])
    ana.close()
    assert {one.item.sha256 for one in ben.page(anew=True).items.values()} == shown[0] - set(said_of(engine))


def test_what_a_killed_program_had_open_is_shown_to_others_after_a_while(engine: Engine, job: int) -> None:
    review_of(engine, job).page(anew=False)

    soon = next_page(engine, job, size=60)
    later = next_page(engine, job, size=60, now=datetime.now(UTC) + LENT_FOR + timedelta(seconds=1))

    assert (len(soon.items), len(later.items)) == (0, 6)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (QuickAnswer(99, Verdict.CONFIRM), "was not shown"),
        (QuickAnswer(1, Verdict.CHANGE, {"a9": "ALB"}), "no box 'a9'"),
        (QuickAnswer(1, Verdict.CHANGE), "change with 0 boxes"),
        (QuickAnswer(1, Verdict.CONFIRM, {"a1": "ALB"}), "box"),
    ],
    ids=["an image of no page", "a box of no image", "a change of nothing", "a confirmation that changes"],
)
def test_what_cannot_be_an_answer_is_refused_and_nothing_of_its_post_is_stored(
    engine: Engine, job: int, answer: QuickAnswer, said: str
) -> None:
    review = review_of(engine, job)
    page = review.page(anew=False)

    with pytest.raises(QuickRefused, match=said):
        review.answer(page.export_id, [QuickAnswer(2, Verdict.CONFIRM), answer])

    assert said_of(engine) == {}


def test_the_page_answers_this_machine_with_its_token_only(engine: Engine, job: int) -> None:
    app = create_app(
        review_of(engine, job),
        draw_tile=lambda item: b"tile",
        draw_whole=lambda item: b"whole",
        token="secret",
        hosts=frozenset({"127.0.0.1:7000"}),
    )
    client = app.test_client()
    ours = {"Host": "127.0.0.1:7000"}

    page = client.get("/secret/page", headers=ours)
    export = page.get_json()["export"]
    posted = {"export": export, "answers": [{"number": 1, "verdict": "confirm"}]}

    assert page.status_code == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert client.get(f"/secret/tile/{export}/1", headers=ours).data == b"tile"
    for path, host in [
        ("/page", "127.0.0.1:7000"),
        ("/guess/page", "127.0.0.1:7000"),
        ("/secret/page", "evil.example"),
    ]:
        assert client.get(path, headers={"Host": host}).status_code == 404, (path, host)
    # A form of a foreign page cannot send JSON.
    assert client.post("/secret/answers", data=str(posted), headers=ours).status_code == 415
    odd = client.post("/secret/answers", json={**posted, "more": 1}, headers=ours)
    assert (odd.status_code, odd.get_json()["error"]) == (400, "more: Extra inputs are not permitted")
    assert client.post("/secret/answers", json=posted, headers=ours).get_json() == {"decided": 1, "stored": 1}


def test_a_burst_is_one_tile_that_answers_all_until_it_is_taken_back(engine: Engine, tmp_path: Path) -> None:
    images = tmp_path / "images" / "boat_1"
    (first,) = write_images(images, 1)
    for number in (1, 2):  # other contents of the same pixels
        (images / f"000{number}.jpg").write_bytes(first.read_bytes() + bytes(number))
    finished_job(engine, tmp_path / "home", tmp_path / "images")
    with reading(engine) as session:
        job = session.scalars(select(JobRow.id)).one()
    review = review_of(engine, job)
    page = review.page(anew=False)

    review.answer(page.export_id, [QuickAnswer(1, Verdict.CONFIRM)])

    by = [result.review for result in iterate_results(engine, job)]
    shown = page.items[1].item.sha256
    assert len(page.items) == 1 and page.left == 0
    assert sorted(str(said.duplicate_of) for said in by if said) == sorted(["None", shown, shown])
    assert review.count_duplicates() == 2 and not review.page(anew=True).items
    review.answer(page.export_id, [QuickAnswer(1, Verdict.WITHDRAW)])
    assert [result.review for result in iterate_results(engine, job)] == [None, None, None]
