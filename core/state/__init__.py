"""As-of features: counters, vectors and sequences, replayed for training and read live."""
