"""Read-only pages, a JSON API and metrics of a node, in a process of their own.

Belongs here: what is shown (`snapshot.py`), in which words (`words.py`), who may see it (`guard.py`), routes, templates and styles. It opens
the ledger read only and writes nothing into the node. Does not belong here: how anything is computed (views).
"""
