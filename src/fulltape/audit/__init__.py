"""Audit: coverage and calendar against what is wanted, into gaps and tasks.

Belongs here: what is missing and who could still fill it. Does not belong here: fetching it (backfill), or judging
rows (check).
"""
