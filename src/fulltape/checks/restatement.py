"""Restatement: a source, asked again about a session, has changed a price by more than a little, and nothing has confirmed it since."""

from __future__ import annotations

CODE = "source.restatement"
SENTENCE = "asked again, the source changed a price by more than quality.restated; no later answer has confirmed it yet"
