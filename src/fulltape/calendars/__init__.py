"""Session tables as package data, their dated overrides, and the loader.

Belongs here: tables, overrides with their sources, and the child process that rebuilds a table. Does not belong here:
what a session means (`market/sessions.py`). pandas and exchange_calendars are imported only in the child process.
"""
