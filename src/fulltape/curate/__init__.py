"""Curate: raw parts of all sources become one curated file per folder.

Belongs here: checking every source's cells alone, choosing between sources, and writing the chosen rows. Does not
belong here: asking vendors (backfill), or judging the curated series (check).
"""
