"""The HTTP side: metrics, probe, health, reload."""
