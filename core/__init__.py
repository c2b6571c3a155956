"""The domain-agnostic core: log, state, features, members, stack, bundle and recommend pipeline."""
