"""Where cases, tracks and baselines live."""
