"""Events: animals with the detections that they are made of, the networks that joined them, and who was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0016"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "followers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followers")),
    )
    op.create_table(
        "events",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=255), nullable=False),
        sa.Column("species", sa.String(length=64), nullable=False),
        sa.Column("probabilities", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.String(length=40), nullable=True),
        sa.Column("ended_at", sa.String(length=40), nullable=True),
        sa.Column("lasts_s", sa.Float(53), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
        sa.Column("best_item_id", _BIG_ID, nullable=False),
        sa.Column("best_detection_id", sa.BigInteger(), nullable=False),
        sa.Column("model_version_id", sa.String(length=64), nullable=False),
        sa.Column("follower_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_events_job_id_jobs")),
        sa.ForeignKeyConstraint(["best_item_id"], ["items.id"], name=op.f("fk_events_best_item_id_items")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_events_model_version_id_model_versions")
        ),
        sa.ForeignKeyConstraint(["follower_id"], ["followers.id"], name=op.f("fk_events_follower_id_followers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("job_id", "number", name=op.f("uq_events_job_id_number")),
    )
    op.create_index(op.f("ix_events_best_item_id"), "events", ["best_item_id"])
    op.create_table(
        "event_sightings",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("event_id", _BIG_ID, nullable=False),
        sa.Column("item_id", _BIG_ID, nullable=False),
        sa.Column("detection_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_event_sightings_event_id_events")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_event_sightings_item_id_items")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_sightings")),
    )
    for column in ("event_id", "item_id", "detection_id"):
        op.create_index(op.f(f"ix_event_sightings_{column}"), "event_sightings", [column])
    op.create_table(
        "event_questions",
        sa.Column("review_item_id", _BIG_ID, nullable=False),
        sa.Column("detection_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["review_item_id"], ["review_items.id"], name=op.f("fk_event_questions_review_item_id_review_items")
        ),
        sa.PrimaryKeyConstraint("review_item_id", "detection_id", name=op.f("pk_event_questions")),
    )
    op.create_index(op.f("ix_event_questions_detection_id"), "event_questions", ["detection_id"])


def downgrade() -> None:
    """Take this revision back."""
    for name in ("event_questions", "event_sightings", "events", "followers"):
        op.drop_table(name)
