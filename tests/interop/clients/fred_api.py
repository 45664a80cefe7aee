"""fredapi: all vintages of a series, as it reads them from XML."""

from __future__ import annotations

import shown
from fredapi import Fred

Fred.root_url = shown.urls()["fred"] + "/fred"
client = Fred(api_key="0" * 32)
shown.rows(
    "fred.alfred",
    "macro_series",
    (
        (
            "GDP",
            shown.micros(row["date"]),
            row["realtime_start"].date().isoformat(),
            None if row["value"] != row["value"] or row["value"] is None else float(row["value"]),
        )
        for _, row in client.get_series_all_releases("GDP").iterrows()
    ),
)
shown.refused("first release", str(float(client.get_series_first_release("GDP").iloc[0])))
try:
    client.get_series("NOPE")
except ValueError as error:
    shown.refused("unknown series", error)
shown.done("fredapi")
