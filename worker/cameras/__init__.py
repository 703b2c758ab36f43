"""Finds which camera took an image: from its metadata, or else from its size and its still background."""
