"""Readers of other tools' label files: each yields raw records, or problems that name file and record."""
