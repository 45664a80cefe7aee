"""Whether a node, and the machine that it is on, are fit: each check a function that says what it saw, and what to do.

Belongs here: `machine.py` (clock, disk, memory, rights), `node.py` (settings, calendars, ledger, files, copies, service). Nothing is
changed but a small file that measures the disk. Does not belong here: mending (`verify --repair`).
"""
