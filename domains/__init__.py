"""Domains: what parameterises the core."""
