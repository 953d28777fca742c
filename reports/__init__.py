"""Remembers and tells: cases, store, feeds, pages, metrics."""
