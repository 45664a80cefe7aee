"""The node as a service: a small supervisor that keeps capture running and gives workers what is due.

Belongs here: the schedule's decisions (`plan.py`), the processes and their lines (`slots.py`, `worker.py`, `config.py`), control
from outside (`control.py`), what is remembered and shown (`memory.py`, `shown.py`), and what needs a person (`conditions.py`). The
supervisor imports neither polars nor pydantic. Does not belong here: what a job does.
"""
