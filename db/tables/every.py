"""Imports every table: a process may import one area's tables only, and write a row that refers to another's."""

import db.tables.datasets
import db.tables.events
import db.tables.images
import db.tables.jobs
import db.tables.labels
import db.tables.models
import db.tables.plans
import db.tables.predictions
import db.tables.reviews
import db.tables.species
