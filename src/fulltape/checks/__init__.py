"""Pure checks: frames and context in, findings out.

A check is one function `check(frame, beside, context) -> findings` in a file of its own, found by being there; a dataset
names the file. It is vectorised, raises nothing for bad data, and puts a measure, a threshold and a sentence into each
finding. It never reads a file, a clock or the ledger: all it may know is in `Beside` and `CheckContext`.

Belongs here: what is judged of rows and cells. The stage that runs the checks is `check`.
"""
