"""What the pages ask a node for beyond what they show all the time.

It is answered by a process of its own, which comes with the first question and goes when none follow: reading tables takes memory
that a small machine does not have to keep. Belongs here: questions about cells, bars, findings, tasks and bundles, and their answers.
Does not belong here: how a page looks (`web/`), and what is said of a cell or a gap (`views/`).
"""
