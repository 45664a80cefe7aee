"""Bundles on the machine that trains: fetched from a node, verified, switched to as a whole.

Belongs here: what is to be fetched, from where, and how copies are kept. Does not belong here: how a bundle is made (`export/`). It
works without a node, without vendors, and imports no polars.
"""
