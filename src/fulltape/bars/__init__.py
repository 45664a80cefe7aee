"""Bars: longer ones out of shorter ones, and what is computed along them.

Belongs here: buckets of time within sessions, sums that do not depend on the order of arrival, indicators. Pure: lazy frames
in, lazy frames out. Does not belong here: where rows are read from, and adjustment.
"""
