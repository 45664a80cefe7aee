"""The demonstration: a node, two simulated vendors, a night with faults, a kill -9, and the proof.

Belongs here: the story and its proof. Does not belong here: anything that a real node needs.
"""
