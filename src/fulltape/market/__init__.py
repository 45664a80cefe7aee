"""The market's words: instants and ranges, sessions and calendars, datasets and their columns, instruments and their symbols.

Belongs here: what is true of markets and of data from any vendor. Pure, and below everything else.
"""
