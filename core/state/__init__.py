"""As-of features: counters, vectors and sequences, replayed for training and read live."""

from core.state.kernel_cache import drop_stale

drop_stale()  # before any kernel is imported
