"""Predictions carry the chance that they are wrong; what it was fitted on is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "doubt_fits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.String(length=64), nullable=False),
        sa.Column("weights", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fitted_on", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_doubt_fits_model_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doubt_fits")),
    )
    op.create_index(op.f("ix_doubt_fits_model_version_id"), "doubt_fits", ["model_version_id"])
    op.add_column("predictions", sa.Column("doubt", sa.Float(53), nullable=False, server_default=sa.text("1")))
    op.add_column("predictions", sa.Column("doubt_fit", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.execute("UPDATE predictions SET doubt = 1 - agreement")
    op.drop_index("ix_predictions_doubt", table_name="predictions")
    op.create_index("ix_predictions_doubt", "predictions", ["model_version_id", "doubt_fit", "doubt"])
    op.add_column("review_exports", sa.Column("asked_species", sa.String(length=64), nullable=True))
    op.add_column("review_exports", sa.Column("asked_camera", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("review_exports", "asked_camera")
    op.drop_column("review_exports", "asked_species")
    op.drop_index("ix_predictions_doubt", table_name="predictions")
    op.create_index("ix_predictions_doubt", "predictions", ["model_version_id", "agreement"])
    op.drop_column("predictions", "doubt_fit")
    op.drop_column("predictions", "doubt")
    op.drop_index(op.f("ix_doubt_fits_model_version_id"), table_name="doubt_fits")
    op.drop_table("doubt_fits")
