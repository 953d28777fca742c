"""Lays the records of two bills side by side: clocks, cut calls, and which record is which."""
