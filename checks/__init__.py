"""Judges: observations in, findings and diagnoses out; pure."""
