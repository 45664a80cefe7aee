"""The node: settings, vendors, ledger and lake put together, and the order of the stages.

Belongs here: assembling, the nightly run, and reading out a node's state for people. Does not belong here: what a stage
does, or how it is shown (cli).
"""
