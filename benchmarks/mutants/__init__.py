"""Mutants: whether the tests notice when the code that decides what is true is changed."""
