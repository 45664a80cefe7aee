"""Simulated vendors: one file each, named after the vendor, with its class as `SIMULATED`; found by being there.

Belongs here: what a vendor's documents say of its vendor. Does not belong here: what several share, and anything from the
vendors' own files, which this tests.
"""
