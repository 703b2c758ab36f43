"""Every table of every area, so that a foreign key from one area to another is always understood."""
