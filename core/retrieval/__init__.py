"""Indices that sources look candidates up in, built when a bundle is published."""
