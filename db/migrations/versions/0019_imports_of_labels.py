"""Imports of labels are revisions, and images keep a note of what was not as it should be.

What was imported before becomes one import, in force: of every image its newest label.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("images", sa.Column("note", sa.Text(), nullable=True))
    op.create_table(
        "label_imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_imports")),
    )
    op.create_table(
        "imported_labels",
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("image_id", big, nullable=False),
        sa.Column("label_id", big, nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["label_imports.id"], name=op.f("fk_imported_labels_import_id_label_imports")
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name=op.f("fk_imported_labels_image_id_images")),
        sa.ForeignKeyConstraint(["label_id"], ["labels.id"], name=op.f("fk_imported_labels_label_id_labels")),
        sa.PrimaryKeyConstraint("import_id", "image_id", name=op.f("pk_imported_labels")),
    )
    for column in ("image_id", "label_id"):
        op.create_index(op.f(f"ix_imported_labels_{column}"), "imported_labels", [column])
    op.execute(
        "INSERT INTO label_imports (source, path, state, created_at) "
        "SELECT 'earlier', '', 'in force', MAX(created_at) FROM labels HAVING COUNT(*) > 0"
    )
    op.execute(
        "INSERT INTO imported_labels (import_id, image_id, label_id) "
        "SELECT (SELECT MAX(id) FROM label_imports), image_id, MAX(id) FROM labels GROUP BY image_id"
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("imported_labels")
    op.drop_table("label_imports")
    op.drop_column("images", "note")
