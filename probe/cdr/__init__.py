"""Reads a switch's call records as they are written, and counts."""
