"""What a measurement saw: one Observation, one file a Sample."""
