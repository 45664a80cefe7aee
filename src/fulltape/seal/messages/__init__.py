"""Messages: what capture has brought becomes raw parts, doubtful intervals and tasks, and is held against history.

Belongs here: the pipeline from a stream's journal to rows that are confirmed. Pages of history are the other one.
"""
