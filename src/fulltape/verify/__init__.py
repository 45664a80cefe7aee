"""Holds the lake against the ledger, in both directions, and brings them back together.

Belongs here: what is wrong with files, taking up files that the ledger does not know, what the ledger keeps in the lake.
Does not belong here: making files again (curate, seal) and asking vendors (backfill); `node/repair.py` runs those.
"""
