"""When what runs by itself runs: the entries of the schedule with their defaults, and the moments of cron expressions.

Belongs here: rules and moments, pure. Does not belong here: what is due now and what waits (`service/plan.py`), or reading the file
(`settings/running.py`).
"""
