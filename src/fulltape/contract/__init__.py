"""The vendor contract: what a vendor's file declares and may be asked, over HTTP and as a stream.

Belongs here: the types and rules that all vendors share before a row is read. Pure.
"""
