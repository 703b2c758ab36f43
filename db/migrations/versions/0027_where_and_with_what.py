"""Images tell where and with which camera they were taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_PLACE = ("latitude_deg", "longitude_deg")
_CAMERA = ("camera_model", "camera_serial")


def upgrade() -> None:
    """Bring the tables to this revision. Images that were read before say nothing until they are read again."""
    for name in _PLACE:
        op.add_column("images", sa.Column(name, sa.Float(53)))
    for name in _CAMERA:
        op.add_column("images", sa.Column(name, sa.String(64)))


def downgrade() -> None:
    """Take this revision back; places and cameras' numbers are gone with it."""
    for name in (*_PLACE, *_CAMERA):
        op.drop_column("images", name)
