"""The shopping domain."""
