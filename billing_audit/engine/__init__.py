"""Carries an audit through any number of rows: in bounded memory, in several processes, on a cluster."""
