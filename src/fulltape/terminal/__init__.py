"""The terminal: options, progress, tables, pictures and JSON that all verbs share.

Belongs here: how something is shown or asked for. Does not belong here: what a verb does, and decisions.
"""
