"""A job's review plans and catch figures: from the store to the pure parts, and back."""
