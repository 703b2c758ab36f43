"""The tables of images. A row of `images` is a content, a row of `files` is a place where it lies."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base
from db.tables.types import BigId


class CameraRow(Base):
    """One fixed viewpoint."""

    __tablename__ = "cameras"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    # Of its typical fish, in the nominal frame, and how it is known; NULL where it is not.
    fish_px: Mapped[float | None] = mapped_column(Float(53))
    fish_size_origin: Mapped[str | None] = mapped_column(String(16))


class FolderRow(Base):
    """A folder of the disk; its path is bytes, because names need not be UTF-8."""

    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[bytes] = mapped_column(LargeBinary)
    # Unique by digest: Postgres cannot index a 4,096-byte path.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id"))


class ImageRow(Base):
    """A content, known by its SHA-256."""

    __tablename__ = "images"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    width_px: Mapped[int | None] = mapped_column(Integer)
    height_px: Mapped[int | None] = mapped_column(Integer)
    captured_at: Mapped[str | None] = mapped_column(String(40))
    # Who says so: exif, container, name; "frame rate" where only the time within a video is known.
    captured_from: Mapped[str | None] = mapped_column(String(16))
    # Where and with what it was taken, as its EXIF says: degrees (WGS 84), maker and model, the body's serial number.
    latitude_deg: Mapped[float | None] = mapped_column(Float(53))
    longitude_deg: Mapped[float | None] = mapped_column(Float(53))
    camera_model: Mapped[str | None] = mapped_column(String(64))
    camera_serial: Mapped[str | None] = mapped_column(String(64))
    # The image's own camera, where it is not its folder's: a folder may hold images of many cameras.
    camera_id: Mapped[int | None] = mapped_column(ForeignKey("cameras.id"), index=True)
    camera_origin: Mapped[str | None] = mapped_column(String(16))
    # What of the file was not as it should be, though it gave an image: rows that are missing, a time that is none.
    note: Mapped[str | None] = mapped_column(Text)
    # 9 x 16 RGB bytes, what near-duplicates are told by (`db.domain.duplicates`); NULL where no worker decoded it yet.
    thumbnail: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class FileRow(Base):
    """A place where a content lies; image_id is known once a worker has read the bytes, and forgotten on change."""

    __tablename__ = "files"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"))
    name: Mapped[bytes] = mapped_column(LargeBinary(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id"), index=True)
    scan: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
