"""Audits two bills; knows nothing of the network."""
