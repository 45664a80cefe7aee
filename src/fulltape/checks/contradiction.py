"""Contradiction: a source that has shown rows of a session, asked again, answers without any."""

from __future__ import annotations

CODE = "source.contradiction"
SENTENCE = "asked again, the source answered without rows; those that it had shown are kept"
"""Also the reason of such a fact in coverage."""
