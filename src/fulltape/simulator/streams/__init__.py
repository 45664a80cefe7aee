"""Simulated streams: one file each, named after the vendor, with its class as `PROTOCOL`; found by being there.

Belongs here: what a vendor's documents say of its stream. Does not belong here: what several share, and anything from the
vendors' own files, which this tests.
"""
