"""A job's results in the formats of other tools; no Keras here, and never the whole job in memory."""
