"""Completeness: minutes against a learned occupancy, never against a round number.

The occupancy p(m) of an instrument is the share of its sessions that have a row in regular minute m. A session's count
is then a sum of independent draws (Poisson-binomial); its lower band is the `band` quantile by the refined normal
approximation with skewness (A. Yu. Volkova, Theory Probab. Appl. 40, 1996). Thin names lack minutes every day and are
whole; a liquid name that lacks a stretch is not.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from fulltape.checks import findings
from fulltape.checks.beside import Beside
from fulltape.checks.findings import CheckContext
from fulltape.decoding import frames

if TYPE_CHECKING:
    import polars as pl

UNMEASURED = "completeness.unmeasured"
_NORMAL = NormalDist()
_LEAST_P = 1e-3


def most_p(chances: pl.Expr) -> pl.Expr:
    """The highest occupancy that so many chances can teach: a minute that was there n times out of n is there with
    (n + 1) / (n + 2) (Laplace's rule of succession), so that few sessions make no bold judge."""
    return (chances + 1) / (chances + 2)


def lower_band(mean: float, variance: float, skew: float, probability: float) -> int:
    """The largest count k for which P(X < k) stays below `probability`.

    `mean` is the sum of p, `variance` the sum of p(1-p), `skew` the sum of p(1-p)(1-2p), over the minutes.
    """
    if variance <= 0:
        return math.floor(mean)
    sigma = math.sqrt(variance)
    gamma = skew / sigma**3

    def below(count: int) -> float:
        x = (count - 0.5 - mean) / sigma
        return _NORMAL.cdf(x) + gamma * (1 - x * x) * _NORMAL.pdf(x) / 6

    count = math.floor(mean)
    while count > 0 and below(count) >= probability:
        count -= 1
    return count


def occupancy(profiles: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """Per (instrument, minute_of_session): p, how often it was seen out of how many chances, in how many sessions; of the
    `profiles` of up to `baseline_sessions` sessions.

    Sessions with less than half the median count are not accepted as examples of how the instrument trades.
    """
    import polars as pl

    counts = (
        profiles.select("instrument", "session", "minutes", pl.col("minutes").list.len().alias("rows"))
        .filter(pl.col("rows") > 0)
        .join(_lengths(context).rename({"minutes": "length"}), on="session")
    )
    share = pl.col("rows") / pl.col("length")
    accepted = counts.filter(share >= share.median().over("instrument") / 2)
    # Sessions of one length and without a halt give the same chances: they are counted, not laid out.
    halted = _halted(context)
    kinds = (
        accepted.with_columns(
            pl.when(pl.col("session").is_in(halted["session"].unique().implode()))
            .then("session")
            .alias("halt")
        )
        .group_by("instrument", "length", "halt")
        .agg(pl.len().alias("times"))
        .with_columns(pl.col("times").sum().over("instrument").alias("sessions"))
    )
    grid = (
        kinds.with_columns(pl.int_ranges("length").alias("minute_of_session"))
        .explode("minute_of_session", empty_as_null=False)
        .join(halted.rename({"session": "halt"}), on=["halt", "minute_of_session"], how="anti")
        .group_by("instrument", "minute_of_session")
        .agg(pl.col("times").sum().alias("chances"), pl.col("sessions").first())
    )
    seen = (
        accepted.select("instrument", pl.col("minutes").alias("minute_of_session"))
        .explode("minute_of_session", empty_as_null=False)
        .group_by("instrument", pl.col("minute_of_session").cast(pl.Int64))
        .len("seen")
    )
    share = pl.col("seen") / pl.col("chances")
    return (
        grid.join(seen, on=["instrument", "minute_of_session"], how="left")
        .with_columns(pl.col("seen").fill_null(0))
        .select(
            "instrument",
            "minute_of_session",
            "sessions",
            "seen",
            "chances",
            share.clip(_LEAST_P, most_p(pl.col("chances"))).alias("p"),
        )
    )


def expected(frame: pl.DataFrame, baseline: pl.DataFrame, context: CheckContext) -> pl.DataFrame:
    """Per cell of `frame`: rows, minutes, sessions learned from, and the lower band (null while it cannot be judged).

    `baseline` is the `occupancy` of up to `baseline_sessions` sessions around the cells.
    """
    import polars as pl

    cells = (
        frame.select("instrument", "session")
        .unique()
        .join(
            _regular(frame).group_by("instrument", "session").len("rows"),
            on=["instrument", "session"],
            how="left",
        )
        .with_columns(pl.col("rows").fill_null(0))
        .join(_lengths(context), on="session", how="left")
    )
    p = pl.col("p")
    moments = (
        cells.select("instrument", "session", "minutes")
        .join(baseline, on="instrument")
        .filter(pl.col("minute_of_session") < pl.col("minutes"))
        .join(_halted(context), on=["session", "minute_of_session"], how="anti")
        .group_by("instrument", "session")
        .agg(
            pl.col("sessions").first(),
            p.sum().alias("mean"),
            (p * (1 - p)).sum().alias("variance"),
            (p * (1 - p) * (1 - 2 * p)).sum().alias("skew"),
        )
        .sort("instrument", "session")
    )
    distinct = moments.select("mean", "variance", "skew").unique()
    bands = {
        (mean, variance, skew): lower_band(mean, variance, skew, context.thresholds.band)
        for mean, variance, skew in distinct.iter_rows()
    }
    learned = [
        bands[row[1:]] if row[0] >= context.thresholds.baseline_least else None
        for row in moments.select("sessions", "mean", "variance", "skew").iter_rows()
    ]
    moments = moments.with_columns(pl.Series("band", learned, dtype=pl.Int64))
    halted = _halted(context).group_by("session").len("halted")
    return (
        cells.join(
            moments.select("instrument", "session", "sessions", "band"),
            on=["instrument", "session"],
            how="left",
        )
        .join(halted, on="session", how="left")
        .with_columns(pl.col("minutes") - pl.col("halted").fill_null(0).cast(pl.Int64))
        .drop("halted")
        .sort("instrument", "session")
    )


def check(frame: pl.DataFrame, beside: Beside, context: CheckContext) -> pl.DataFrame:
    """AMBER below the band, for an implausible empty stretch and for much less volume than the day bar's; RED for a long
    stretch in a busy instrument; UNCHECKED where minutes lack and neither a baseline nor a day bar says how many are
    usual. Nothing where no `baseline` was learned, from whatever sessions."""
    import polars as pl

    if beside.baseline is None:
        return findings.none()
    baseline, volumes = beside.baseline, beside.volumes
    measured = expected(frame, baseline, context)
    judged = measured.filter(pl.col("band").is_not_null())
    short = findings.shaped(
        judged.filter(pl.col("rows") < pl.col("band")).with_columns(
            pl.lit("completeness.count").alias("code"),
            pl.lit("AMBER").alias("severity"),
            pl.col("rows").cast(pl.Float64).alias("measure"),
            pl.col("band").cast(pl.Float64).alias("threshold"),
            pl.format("{} of {} minutes; at least {} are usual", "rows", "minutes", "band").alias("sentence"),
        )
    )
    by_day = _by_day(frame, measured, volumes, context)
    return pl.concat([short, by_day, _stretches(frame, judged, baseline, context)])


def _by_day(
    frame: pl.DataFrame, measured: pl.DataFrame, volumes: pl.DataFrame | None, context: CheckContext
) -> pl.DataFrame:
    """What the day bars say of sessions that lack minutes, and which of these nothing measures."""
    import polars as pl

    limits = context.thresholds
    cells = measured.filter(pl.col("rows") < pl.col("minutes"))
    if volumes is None or "volume" not in frame.columns:
        cells = cells.with_columns(pl.lit(None, dtype=pl.Float64).alias("share"))
    else:
        traded = frame.group_by("instrument", "session").agg(pl.col("volume").sum().alias("traded"))
        cells = cells.join(traded, on=["instrument", "session"]).join(
            volumes.select("instrument", "session", "volume"), on=["instrument", "session"], how="left"
        )
        share = pl.when(pl.col("volume") > 0).then(pl.col("traded") / pl.col("volume"))
        cells = cells.with_columns(share.alias("share"))
    less = cells.filter(pl.col("share") < limits.day_volume_share).with_columns(
        pl.lit("completeness.day").alias("code"),
        pl.lit("AMBER").alias("severity"),
        pl.col("share").alias("measure"),
        pl.lit(limits.day_volume_share).alias("threshold"),
        pl.format(
            "{} of {} minutes, with {} % of the day bar's volume",
            "rows",
            "minutes",
            (pl.col("share") * 100).round(1),
        ).alias("sentence"),
    )
    whole = (pl.col("share") >= limits.day_volume_whole).fill_null(value=False)
    rest = cells.join(less, on=["instrument", "session"], how="anti")
    unmeasured = rest.filter(pl.col("band").is_null() & ~whole).with_columns(
        pl.lit(UNMEASURED).alias("code"),
        pl.lit("UNCHECKED").alias("severity"),
        pl.col("sessions").fill_null(0).cast(pl.Float64).alias("measure"),
        pl.lit(float(limits.baseline_least)).alias("threshold"),
        pl.format(
            "{} of {} minutes, and too few sessions to know how many are usual", "rows", "minutes"
        ).alias("sentence"),
    )
    return pl.concat([findings.shaped(less), findings.shaped(unmeasured)])


def _stretches(
    frame: pl.DataFrame, judged: pl.DataFrame, baseline: pl.DataFrame, context: CheckContext
) -> pl.DataFrame:
    import polars as pl

    limits = context.thresholds
    key = ["instrument", "session", "minute_of_session"]
    grid = (
        judged.filter(pl.col("rows") < pl.col("minutes"))
        .drop("minutes")
        .join(_lengths(context), on="session")
        .with_columns(pl.int_ranges("minutes").alias("minute_of_session"))
        .explode("minute_of_session", empty_as_null=False)
    )
    missing = grid.join(_regular(frame), on=key, how="anti").join(_halted(context), on=key[1:], how="anti")
    runs = (
        missing.join(baseline.select(*key[::2], "seen", "chances"), on=key[::2])
        .with_columns(_without_itself().alias("p"))
        .sort(key)
        .with_columns((pl.col("minute_of_session") - pl.int_range(pl.len()).over(key[:2])).alias("run"))
        .group_by("instrument", "session", "run")
        .agg(
            pl.len().alias("rows"),
            pl.col("minute_of_session").min().alias("first"),
            pl.col("p").mean().alias("mean_p"),
            (1 - pl.col("p")).log().sum().alias("log_probability"),
        )
        .filter(pl.col("log_probability") < math.log(limits.stretch_p))
    )
    long = (pl.col("rows") >= limits.stretch_red_minutes) & (pl.col("mean_p") > limits.stretch_red_p)
    return findings.shaped(
        runs.with_columns(
            pl.lit("completeness.stretch").alias("code"),
            pl.when(long).then(pl.lit("RED")).otherwise(pl.lit("AMBER")).alias("severity"),
            pl.col("log_probability").exp().alias("measure"),
            pl.lit(limits.stretch_p).alias("threshold"),
            pl.format("{} minutes without a row from minute {}", "rows", "first").alias("sentence"),
        ).sort("instrument", "session", "first")
    )


def _without_itself() -> pl.Expr:
    """The occupancy of a missing minute by the other sessions: a hole must not vouch for itself."""
    import polars as pl

    others = (pl.col("chances") - 1).clip(1)
    return (pl.col("seen") / others).clip(_LEAST_P, most_p(others))


def _regular(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return (
        frame.filter(pl.col("phase") == "regular")
        .select("instrument", "session", "minute_of_session")
        .unique()
    )


def _lengths(context: CheckContext) -> pl.DataFrame:
    import polars as pl

    return frames.sessions(context.calendar).select("session", pl.col("length").alias("minutes"))


def _halted(context: CheckContext) -> pl.DataFrame:
    import polars as pl

    pairs = context.calendar.interrupted
    return pl.DataFrame(pairs, schema={"session": pl.Date, "minute_of_session": pl.Int64}, orient="row")
