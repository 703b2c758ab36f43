"""Crops are known by their looks, and a camera's crops answer together: a job's answers beside each one's own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("detections", sa.Column("crop_embedding", sa.LargeBinary(), nullable=True))
    op.create_table(
        "neighbour_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("heard_digest", sa.String(length=64), nullable=False),
        sa.Column("heard_images", sa.Integer(), nullable=False),
        sa.Column("image_probabilities", sa.JSON(), nullable=False),
        sa.Column("crop_probabilities", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_neighbour_answers_job_id_jobs")),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name=op.f("fk_neighbour_answers_prediction_id_predictions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_neighbour_answers")),
        sa.UniqueConstraint("job_id", "prediction_id", name=op.f("uq_neighbour_answers_job_id_prediction_id")),
    )
    op.create_index(op.f("ix_neighbour_answers_prediction_id"), "neighbour_answers", ["prediction_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(op.f("ix_neighbour_answers_prediction_id"), table_name="neighbour_answers")
    op.drop_table("neighbour_answers")
    with op.batch_alter_table("detections") as batch:
        batch.drop_column("crop_embedding")
