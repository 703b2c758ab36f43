"""A synthetic fleet: pictures, labels and truth with the statistics of the NCFM competition, but no one's pictures."""
