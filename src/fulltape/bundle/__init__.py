"""What a bundle is: its manifest, its checksums, and the places that bundles come from.

Belongs here: the shape of a bundle, and how its files are read wherever they lie. Does not belong here: how a bundle is made
(`export/`), how copies of it are kept (`pull/`), and what its rows mean (`reading/`). It imports no polars.
"""
