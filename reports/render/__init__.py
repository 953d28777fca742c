"""Turns findings and cases into text, JSON and Nagios lines."""
