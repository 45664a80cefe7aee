"""Compact: many small raw parts of a folder become one.

Belongs here: which of them are worth it, writing the one, and the proof that it holds what they hold. Does not belong here:
removing the small ones (sweep), or choosing between answers (curate).
"""
