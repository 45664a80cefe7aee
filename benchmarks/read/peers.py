"""DuckDB, bare polars and ArcticDB on the same rows, in their own environment. Prints JSON: seconds by engine and query."""

import json
import statistics
import sys
import time

import arcticdb
import duckdb
import polars as pl

TIMES = 7


def median(do):
    spans = []
    for _ in range(TIMES):
        began = time.perf_counter()
        do()
        spans.append(time.perf_counter() - began)
    return statistics.median(spans[1:])


def main(told):
    paths, symbol, day, names = told["paths"], told["symbol"], told["day"], told["names"]
    (today,) = [path for path in paths if f"date={day}" in path]
    found = {"duckdb": {}, "polars": {}, "arcticdb": {}}
    connection = duckdb.connect()
    files = "[" + ",".join(f"'{path}'" for path in paths) + "]"
    one = f"SELECT * FROM read_parquet({files}) WHERE symbol = '{symbol}'"
    all_of_day = f"SELECT * FROM read_parquet('{today}')"
    whole = f"SELECT sum(volume) FROM read_parquet({files})"
    for name, sql in (("symbol", one), ("day", all_of_day), ("scan", whole)):
        found["duckdb"][name] = median(lambda sql=sql: connection.sql(sql).to_arrow_table())
    found["polars"] = {
        "symbol": median(
            lambda: pl.scan_parquet(paths, glob=False).filter(pl.col("symbol") == symbol).collect()
        ),
        "day": median(lambda: pl.scan_parquet([today], glob=False).collect()),
        "scan": median(lambda: pl.scan_parquet(paths, glob=False).select(pl.col("volume").sum()).collect()),
    }
    library = arcticdb.Arctic(f"lmdb://{told['folder']}?map_size=20GB").create_library("bars")
    for at in range(0, len(names), 50):
        some = names[at : at + 50]
        rows = pl.scan_parquet(paths, glob=False).filter(pl.col("symbol").is_in(some)).collect()
        rows = rows.with_columns(
            pl.col(pl.Datetime).dt.replace_time_zone(None), pl.col("session").cast(pl.Datetime("ns"))
        )
        payloads = []
        for (name,), frame in rows.group_by(["symbol"]):
            indexed = frame.sort("ts").to_pandas().set_index("ts")
            payloads.append(arcticdb.WritePayload(name, indexed))
        library.write_batch(payloads)
    import pandas as pd

    span = (pd.Timestamp(day), pd.Timestamp(day) + pd.Timedelta(hours=24) - pd.Timedelta(microseconds=1))
    requests = [arcticdb.ReadRequest(name, date_range=span) for name in names]
    volumes = [arcticdb.ReadRequest(name, columns=["volume"]) for name in names]
    found["arcticdb"] = {
        "symbol": median(lambda: library.read(symbol).data),
        "day": median(lambda: pd.concat([one.data for one in library.read_batch(requests)])),
        "scan": median(lambda: sum(one.data["volume"].sum() for one in library.read_batch(volumes))),
    }
    found["rows"] = {
        "symbol": len(library.read(symbol).data),
        "day": sum(len(one.data) for one in library.read_batch(requests)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(json.load(sys.stdin))
