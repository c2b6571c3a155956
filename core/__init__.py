"""The domain-agnostic core: log, state, features, members, stack, bundle and recommend pipeline."""

import os

# Threads of OpenBLAS wait for work in a loop of 30 ms, on the core that others need.
# numpy reads this when it is imported; no result changes.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
