"""The local web page of a quick review: loopback only, every address begins with a random token, nothing is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from annotator.export.write import shown_state
from annotator.labelme.shown import ExportedShape
from annotator.quick.answer import QuickAnswer, Verdict
from annotator.quick.page import QuickItem, QuickPage
from annotator.quick.review import QuickReview
from db.domain.answers import AnswerBox, box_words
from db.domain.boxes import clip_box
from db.errors import TaffrailError

if TYPE_CHECKING:
    from flask import Flask, Response

DrawImage = Callable[[QuickItem], bytes]

_POLICY = "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; connect-src 'self'"


class AnswerIn(BaseModel):
    """One answer as the page sends it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    verdict: Verdict
    species: dict[str, str] = {}


class AnswersIn(BaseModel):
    """What the page posts: answers to images of one page of a review."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    export: str
    answers: list[AnswerIn]


class AsideIn(BaseModel):
    """An image that is to be drawn on in labelme."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    export: str
    number: int


def create_app(
    review: QuickReview, *, draw_tile: DrawImage, draw_whole: DrawImage, token: str, hosts: frozenset[str]
) -> Flask:
    """Return the page as a WSGI application.

    draw_tile, draw_whole: an image as a JPEG. hosts: the `Host` headers that are answered.
    """
    from flask import Flask, Response, abort, jsonify, render_template, request

    app = Flask(__name__, static_folder="static", static_url_path=f"/{token}/static", template_folder="templates")

    @app.before_request
    def only_us() -> None:
        # A name that a foreign page lets point to this machine must not reach it (DNS rebinding).
        if request.host not in hosts or not request.path.startswith(f"/{token}/"):
            abort(404)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(TaffrailError)
    def told(error: TaffrailError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 409

    @app.errorhandler(ValidationError)
    def misread(error: ValidationError) -> tuple[Response, int]:
        first = error.errors()[0]
        return jsonify(error=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"), 400

    @app.get(f"/{token}/")
    def index() -> str:
        return render_template("quick.html", job=review.job_id, reviewer=review.reviewer)

    @app.get(f"/{token}/page")
    def page() -> Response:
        return jsonify(_page_json(review.page(anew="next" in request.args), review))

    @app.get(f"/{token}/image/<export>/<int:number>")
    def whole(export: str, number: int) -> Response:
        return Response(draw_whole(review.item(export, number) or abort(404)), mimetype="image/jpeg")

    @app.get(f"/{token}/tile/<export>/<int:number>")
    def tile(export: str, number: int) -> Response:
        return Response(draw_tile(review.item(export, number) or abort(404)), mimetype="image/jpeg")

    @app.post(f"/{token}/answers")
    def answers() -> Response:
        posted = AnswersIn.model_validate(request.get_json())
        said = [QuickAnswer(one.number, one.verdict, one.species) for one in posted.answers]
        stored = review.answer(posted.export, said)
        return jsonify(stored=stored, decided=review.decided)

    @app.post(f"/{token}/aside")
    def aside() -> Response:
        posted = AsideIn.model_validate(request.get_json())
        review.set_aside(posted.export, posted.number)
        return jsonify(aside=len(review.to_draw))

    return app


def _page_json(page: QuickPage, review: QuickReview) -> dict[str, Any]:
    return {
        "export": page.export_id,
        "left": page.left,
        "decided": review.decided,
        "species": list(review.label_set.fish),
        "no_fish": "NoF",
        "items": [_item_json(item) for item in page.items.values()],
    }


def _item_json(item: QuickItem) -> dict[str, Any]:
    shown = item.item
    shapes = shown_state(shown).shapes
    found = shown.answer.boxes if shown.answer is not None else ()
    # A box outside the image is not shown, so it has no shape.
    boxes = [box for box in found if clip_box(box.box, width_px=shown.width_px, height_px=shown.height_px)]
    return {
        "number": item.number,
        "group": item.group,
        "camera": shown.camera,
        "file": shown.shown_path,
        "why": shown.why,
        "duplicates": len(shown.duplicates),
        "width": shown.width_px,
        "height": shown.height_px,
        "probabilities": [[name, round(share, 4)] for name, share in item.probabilities],
        "boxes": [_box_json(shape, box) for shape, box in zip(shapes, boxes, strict=True)],
    }


def _box_json(shape: ExportedShape, found: AnswerBox) -> dict[str, Any]:
    xyxy = [round(value, 1) for value in shape.box.xyxy]
    return {"id": shape.shape_id, "species": shape.species, "words": box_words(found), "xyxy": xyxy}
