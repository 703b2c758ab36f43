"""Every table of every area, so that a foreign key from one area to another is always understood."""

import db.dataset_tables
import db.review_tables
import db.tables  # noqa: F401
