"""Vendors' servers on loopback, with faults: everything can be built, tested and shown without a key.

Belongs here: simulated vendors written from the vendors' documents, and a small lake that they serve. Does not belong here:
anything from `vendors/`: a simulated vendor that shares code with what it tests repeats its mistakes.
"""
