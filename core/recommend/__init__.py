"""The recommend pipeline: sources, filters, scorer, rerankers, in stages with tiny contracts."""
