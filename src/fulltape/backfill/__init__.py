"""Backfill: who fetches what, and what to make of the answers.

Belongs here: claiming, conversing with vendors within their budgets, and writing pages into the journal. Does not
belong here: what is missing (audit), and what the bytes mean (the vendors; decoding is seal's).
"""
