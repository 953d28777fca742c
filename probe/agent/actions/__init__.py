"""What firstline can be asked to do: functions that yield progress and results."""
