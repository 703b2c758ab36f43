"""What a first user gets: a model learnt from 150 labels of five cameras, judged on five others. `make first-model`."""
