"""The music domain."""
