"""Files of history in a folder, by one command: a node inside of it fetches, and what it holds is written out in partitions.

Belongs here: what is asked for, partitions, formats, gaps inside sessions, the report. Does not belong here: fetching (the node's own
stages), and what vendors mean (`vendors/`).
"""
