"""Reads one capture file and says which calls and voice streams are in it; runs in a process of its own."""
