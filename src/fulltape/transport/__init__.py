"""The only doors to the network for fetching.

Belongs here: sending a vendor's request with its credentials, once a budget was reserved, and redacting what comes
back. Does not belong here: what a request or an answer means (the vendors), or when to ask again (backfill).
"""
