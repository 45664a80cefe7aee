"""Contradiction: a source that has shown rows of a session, asked again, answers without any."""

from __future__ import annotations

from fulltape.coverage.facts import CONTRADICTED

CODE = "source.contradiction"
SENTENCE = CONTRADICTED
