"""The command of a quick review: a local page that asks about the likeliest wrong images of a job."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.shared.context import opened

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from annotator.quick.review import QuickReview
    from db.settings import Settings


def quick_command(
    job: Annotated[int, typer.Argument(help="Number of the job (cli status).")],
    reviewer: Annotated[
        str | None, typer.Option(help="Who reviews; the name of this machine's user where not given.")
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for images that need a box drawn, for labelme."),
    ] = None,
    page: Annotated[int, typer.Option(min=1, max=500, help="Images a page, 1 to 500.")] = 60,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in this machine's browser.")] = True,
) -> None:
    """Answer images of a job on a local page: confirm rows of crops, or one question at a time.

    Every answer is stored at once. The page is on this machine only; Ctrl-C ends the review.
    """
    from annotator.quick.review import QuickReview
    from db.session import reading
    from db.store.jobs import get_job

    settings, engine = opened()
    with reading(engine) as session:
        get_job(session, job)
    name = getpass.getuser() if reviewer is None else reviewer
    review = QuickReview(engine, job, label_set=settings.label_set, reviewer=name, page_size=page)
    _serve(review, settings, port=port, browser=browser)
    more = review.count_duplicates()
    also = f", and {more} near-duplicates by them" if more else ""
    typer.echo(f"job {job}: {review.decided} images answered by {name}{also}")
    if review.to_draw:
        _to_labelme(review, settings, engine, draw)


def _serve(review: QuickReview, settings: Settings, *, port: int, browser: bool) -> None:
    import secrets
    import webbrowser
    from functools import partial

    from annotator.errors import AnnotatorError
    from cli.review.quick_images import draw_tile, draw_whole

    try:
        from werkzeug.serving import WSGIRequestHandler, make_server

        from annotator.quick.app import create_app
    except ModuleNotFoundError as error:
        raise AnnotatorError(f"the quick review needs {error.name}; install the extra review") from None

    class Silent(WSGIRequestHandler):
        """Addresses hold the token, so no request is logged."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    token = secrets.token_urlsafe(24)
    try:
        server = make_server("127.0.0.1", port, lambda environ, start: [], threaded=True, request_handler=Silent)
    except OSError as error:
        raise AnnotatorError(f"port {port}: cannot be used ({error.strerror}); --port 0 takes a free one") from None
    at = f"127.0.0.1:{server.server_port}"
    hosts = frozenset({at, f"localhost:{server.server_port}"})
    draw = {"draw_tile": partial(draw_tile, settings), "draw_whole": partial(draw_whole, settings)}
    server.app = create_app(review, **draw, token=token, hosts=hosts)
    address = f"http://{at}/{token}/"
    typer.echo(
        f"{address}\nopen it in a browser on this machine; every answer is stored at once, Ctrl-C ends the review"
    )
    if browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("")
    finally:
        server.server_close()
        review.close()


def _to_labelme(review: QuickReview, settings: Settings, engine: Engine, folder: Path | None) -> None:
    """Write the images that need a box drawn to a review folder, or say how to."""
    from random import Random

    from annotator.export.export_flagged import ReviewExportOptions, export_flagged
    from cli.review.fetch import fetch_url
    from db.session import reading
    from db.store.results import models_of_job
    from db.store.review_queue import QueueFilter

    if folder is None:
        typer.echo(f"{len(review.to_draw)} images need a box drawn; with --draw DIR they are written for labelme")
        return
    with reading(engine) as session:
        models = models_of_job(session, review.job_id)
    options = ReviewExportOptions(len(review.to_draw), 0.0, settings.label_set, fetch=fetch_url)
    wanted = QueueFilter(models[-1], settings.flag_below, handed_out=True)
    written = export_flagged(folder, wanted, options, engine=engine, rng=Random(0), contents=review.to_draw)
    typer.echo(f"{folder}: {len(written.items)} images to draw on; next: cli review open {folder}")
