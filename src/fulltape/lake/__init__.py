"""What we have: files that survive anything.

Belongs here: the journal, Parquet, where files lie, and how they become durable. Does not belong here: what is known
about them (the ledger; the two do not know each other, a stage writes with the one and commits with the other).
"""
