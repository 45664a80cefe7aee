"""Pages: what fetching has brought becomes raw parts, facts and finished tasks.

Belongs here: the pipeline from the pages of one request for data to rows. Journals of streams are the other one.
"""
