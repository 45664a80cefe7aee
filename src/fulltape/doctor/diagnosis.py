"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was seen, and what to do where it is not as it should be."""

    name: str
    state: State
    text: str
    cure: str = ""


def ok(name: str, text: str) -> Diagnosis:
    """It is as it should be."""
    return Diagnosis(name=name, state="ok", text=text)


def warning(name: str, text: str, cure: str) -> Diagnosis:
    """The node works, but it should be looked at."""
    return Diagnosis(name=name, state="warning", text=text, cure=cure)


def failure(name: str, text: str, cure: str) -> Diagnosis:
    """The node does not work, or not all of it."""
    return Diagnosis(name=name, state="failure", text=text, cure=cure)
