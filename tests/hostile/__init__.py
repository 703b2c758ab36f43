"""Generators of hostile files, and what must become of each."""
