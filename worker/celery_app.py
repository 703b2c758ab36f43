"""The Celery app of this machine's settings, for Celery's own tools: `celery --app worker.celery_app flower`."""

from __future__ import annotations

from db.settings import get_settings
from worker.delivery.app import make_app

app = make_app(get_settings())
