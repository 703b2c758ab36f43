"""What a camera's corrections say of a model's boxes on it: a shift of their log odds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "box_shifts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("model_version_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("shift", sa.Float(53), nullable=False),
        sa.Column("parameters", sa.String(length=32), nullable=False),
        sa.Column("boxes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_box_shifts_camera_id_cameras")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_box_shifts_model_version_id_model_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_box_shifts")),
        sa.UniqueConstraint("model_version_id", "camera_id", name=op.f("uq_box_shifts_model_version_id_camera_id")),
    )
    op.create_index(op.f("ix_box_shifts_camera_id"), "box_shifts", ["camera_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(op.f("ix_box_shifts_camera_id"), table_name="box_shifts")
    op.drop_table("box_shifts")
