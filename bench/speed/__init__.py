"""How fast, and in how much memory: one script a question; `make bench` runs them all."""
