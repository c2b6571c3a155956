"""The bench: the model zoo beside the ensemble, and the ladder of leaks."""
