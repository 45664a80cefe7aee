"""Plays captured messages as the vendor's own websocket server.

Belongs here: in which order and when recorded messages are played, to which clients, and what a recorded gap becomes. Does not belong here: how a
vendor talks (`simulator/`), and how messages are captured (`capture/`) and become rows (`seal/`).
"""
