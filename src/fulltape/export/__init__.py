"""Deliver: verified, reproducible bundles.

Belongs here: what goes into a bundle, and writing it whole or not at all. Does not belong here: the rows themselves
(curate), or their verdicts (check).
"""
