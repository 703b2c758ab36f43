"""Data sets as they were learnt from, the cameras they are judged on, and retrainings with their schedule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "dataset_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("held_out_share", sa.Float(precision=53), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_series")),
    )
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("setting", sa.String(length=255), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["dataset_series.id"], name=op.f("fk_datasets_series_id_dataset_series")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("series_id", "sha256", name=op.f("uq_datasets_series_id_sha256")),
    )
    op.create_table(
        "series_cameras",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=255), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["dataset_series.id"], name=op.f("fk_series_cameras_series_id_dataset_series")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_cameras")),
        sa.UniqueConstraint("series_id", "camera", name=op.f("uq_series_cameras_series_id_camera")),
    )
    op.create_table(
        "retrainings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("schedule", sa.String(length=32), nullable=True),
        sa.Column("due_slot", sa.String(length=64), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("holder", sa.String(length=255), nullable=False),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True),
        sa.Column(
            "newest_correction_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("dataset_id", sa.Integer(), nullable=True),
        sa.Column("model_version_id", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_retrainings_dataset_id_datasets")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_retrainings_model_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrainings")),
        sa.UniqueConstraint("schedule", "due_slot", name=op.f("uq_retrainings_schedule_due_slot")),
    )
    op.create_index(
        "uq_retrainings_one_running",
        "retrainings",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "dataset_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("correction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("label_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("prediction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("species", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=255), nullable=False),
        sa.Column("weight", sa.Float(precision=53), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"], ["corrections.id"], name=op.f("fk_dataset_entries_correction_id_corrections")
        ),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_dataset_entries_dataset_id_datasets")),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_dataset_entries_image_id_images")),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_dataset_entries_label_id_labels")),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name=op.f("fk_dataset_entries_prediction_id_predictions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_entries")),
        sa.UniqueConstraint("dataset_id", "image_id", name=op.f("uq_dataset_entries_dataset_id_image_id")),
    )
    op.create_index(op.f("ix_dataset_entries_image_id"), "dataset_entries", ["image_id"], unique=False)
    # Both engines take this as it is; SQLite would make the table anew for Alembic's form, and rows refer to it.
    op.execute(
        "ALTER TABLE model_versions ADD COLUMN dataset_id INTEGER "
        "CONSTRAINT fk_model_versions_dataset_id_datasets REFERENCES datasets (id)"
    )
    op.create_index(op.f("ix_model_versions_dataset_id"), "model_versions", ["dataset_id"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("model_versions") as batch:
        batch.drop_index(op.f("ix_model_versions_dataset_id"))
        batch.drop_column("dataset_id")
    op.drop_index(op.f("ix_dataset_entries_image_id"), table_name="dataset_entries")
    op.drop_table("dataset_entries")
    op.drop_index(
        "uq_retrainings_one_running",
        table_name="retrainings",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_table("retrainings")
    op.drop_table("series_cameras")
    op.drop_table("datasets")
    op.drop_table("schedules")
    op.drop_table("dataset_series")
