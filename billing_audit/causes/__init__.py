"""The causes of a difference between two bills, one a file."""
