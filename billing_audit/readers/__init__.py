"""Reads bills and call records: what a file is, and its rows as a ledger."""
