"""The travel domain."""
