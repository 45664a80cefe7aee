"""Live: what is being captured, as it comes: provisional bars for observers.

Belongs here: reading the journal behind its writer with a bookmark of our own, and bars that may still change. Does not
belong here: final bars (curate makes them from curated ticks), sockets (capture), the bus.
"""
