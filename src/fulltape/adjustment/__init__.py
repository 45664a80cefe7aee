"""Adjustment: what corporate actions make of prices and volumes.

Belongs here: how the sources' votes become events, events become factors, and factors are laid over raw rows. Pure: frames
and values in, frames and values out. Does not belong here: where votes, closes and rows are read from.
"""
