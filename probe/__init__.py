"""Measures network and host."""
