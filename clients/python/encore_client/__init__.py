"""The typed client of Encore."""
