"""Quality: the curated series is checked, and every cell gets a verdict.

Belongs here: running the checks over what was curated, and writing what they found. Does not belong here: the checks
themselves (`checks/`), or choosing between sources (curate).
"""
