"""Where the files of a bundle lie, and what each is. Curated rows lie as in the lake: curated/DATASET/FOLDER/FILE."""

from __future__ import annotations

from pathlib import PurePosixPath

STATUS = "qc/partition_status.parquet"
"""One row for each wanted cell."""
INSTRUMENTS = "instruments.parquet"
MEMBERSHIP = "universe_membership.parquet"
REPAIRS = "repairs.parquet"
INTERVALS = "intervals.parquet"
SPLITS = "splits.json"
GAPS, GAPS_PAGE = "gaps.json", "gaps.html"
"""What is not in the bundle, and why: its certificate."""
ACTIONS, FACTORS, ADJUSTMENTS = "actions.parquet", "factors.parquet", "adjustments.parquet"
ANSWERED = "answered_actions.parquet"
"""By instrument stretches of days, both ends inclusive, of each of which a source has answered whether there was an action."""
SERIES = "series.parquet"
"""Who is in each dataset, under which symbols, and from when to when there are rows."""
HISTORY = "macro_history.parquet"
"""Published values that a source has restated since, as it told them before."""
CALENDAR_OVERRIDES = "calendars/overrides.toml"


def sessions(dataset: str) -> str:
    """The sessions of a dataset's calendar."""
    return f"sessions/{dataset}.parquet"


def calendar(name: str) -> str:
    """The table of a calendar that is not known by rule."""
    return f"calendars/{name}.csv"


def dataset_of(path: str) -> str:
    """Whose curated rows a file has; '' where it has none."""
    parts = PurePosixPath(path).parts
    return parts[1] if parts[0] == "curated" and len(parts) > 2 else ""
