"""Finds which camera took a picture: from its metadata, or else from its size and its still background."""
