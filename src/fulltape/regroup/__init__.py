"""Regroup: closed months and years of curated rows a second time, by instrument.

Belongs here: which of them are closed, writing them, and the proof that they hold what the days hold. Does not belong here:
choosing rows (curate), or reading them (reader).
"""
