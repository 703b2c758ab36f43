"""A synthetic fleet: images, labels and truth with the statistics of the NCFM competition, but no one's images."""
