"""Views: what a node's state is, read out for people and programs.

Belongs here: read models that every way of showing shares. Nothing here changes anything.
"""
