"""A job as static pages to look at and to hand on; no Keras, no network, the originals are only read."""
