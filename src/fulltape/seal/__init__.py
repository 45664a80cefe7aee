"""Seal: what lies in the journal becomes parts, facts and finished tasks, in one transaction.

Belongs here: decoding in bulk, sorting, deduplicating, and what an answer proves. Does not belong here: choosing
between sources (curate), or asking again (backfill).
"""
