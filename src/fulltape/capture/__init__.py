"""Capture: what sockets deliver, durable before it is understood.

Belongs here: connections and their care, bounded queues, the writing of messages and marks into the journal. Does not
belong here: SQL, polars, decoding (seal), asking for what was missed (backfill). It runs in a process of its own, which
imports nothing heavy, so that nothing else on the machine delays a message.
"""
