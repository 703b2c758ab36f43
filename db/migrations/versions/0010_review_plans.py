"""Review plans and the probability of each of their images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "review_plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("export_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("model_version_id", sa.String(length=64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("certain", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Integer(), nullable=False),
        sa.Column("floor_share", sa.Float(precision=53), nullable=False),
        sa.Column("target", sa.String(length=255), server_default="", nullable=False),
        sa.Column("images", sa.BigInteger(), nullable=False),
        sa.Column("last_prediction_id", sa.BigInteger(), nullable=False),
        sa.Column("last_correction_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["export_id"], ["review_exports.id"], name=op.f("fk_review_plans_export_id_review_exports")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_review_plans_job_id_jobs")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_review_plans_model_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_plans")),
        sa.UniqueConstraint("export_id", name=op.f("uq_review_plans_export_id")),
    )
    op.create_index(op.f("ix_review_plans_job_id"), "review_plans", ["job_id"])
    op.create_table(
        "review_plan_items",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("plan_id", sa.Integer(), nullable=False),
        sa.Column("image_id", _BIG, nullable=False),
        sa.Column("prediction_id", _BIG, nullable=False),
        sa.Column("probability", sa.Float(precision=53), nullable=False),
        sa.Column("certain", sa.Boolean(), nullable=False),
        sa.Column("camera", sa.String(length=255), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["review_plans.id"], name=op.f("fk_review_plan_items_plan_id_review_plans")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_review_plan_items_image_id_images")),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name=op.f("fk_review_plan_items_prediction_id_predictions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_plan_items")),
        sa.UniqueConstraint("plan_id", "image_id", name=op.f("uq_review_plan_items_plan_id_image_id")),
    )
    op.create_index("ix_review_plan_items_image_id", "review_plan_items", ["image_id"])
    op.create_index(op.f("ix_review_plan_items_prediction_id"), "review_plan_items", ["prediction_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("review_plan_items")
    op.drop_table("review_plans")
