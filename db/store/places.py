"""Which camera took a content: the picture's own, or else that of the folder where it was first seen."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import CameraRow, FileRow, FolderRow, ImageRow

ImageId = InstrumentedAttribute[int] | ColumnElement[int]


def camera_of_image(image_id: ImageId) -> ScalarSelect[str]:
    """Return the name of the camera of a content, as a subquery of a query that has `image_id`."""
    file, image = aliased(FileRow), aliased(ImageRow)
    return (
        select(CameraRow.name)
        .select_from(image)
        .join(file, file.image_id == image.id)
        .join(FolderRow, FolderRow.id == file.folder_id)
        .join(CameraRow, CameraRow.id == func.coalesce(image.camera_id, FolderRow.camera_id))
        .where(image.id == image_id)
        .order_by(file.id)
        .limit(1)
        .scalar_subquery()
    )
