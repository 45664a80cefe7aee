"""`[quality]`: the numbers that decide a verdict."""

from __future__ import annotations

from pydantic import Field

from fulltape.checks.findings import Thresholds
from fulltape.settings.kinds import Section

_QUALITY = Thresholds()


class QualitySettings(Section):
    """The section of the file; defaults are those of `Thresholds`."""

    bad_share_red: float = Field(
        _QUALITY.bad_share_red, gt=0, le=1, description="share of bad rows from which a cell is RED"
    )
    vwap_ticks: float = Field(
        _QUALITY.vwap_ticks, ge=0, description="currency by which vwap may lie outside low to high"
    )
    vwap_share: float = Field(
        _QUALITY.vwap_share, ge=0, description="the same as a share of the price; the larger one counts"
    )
    baseline_sessions: int = Field(
        _QUALITY.baseline_sessions, ge=1, description="sessions from which minute occupancy is learned"
    )
    baseline_least: int = Field(
        _QUALITY.baseline_least,
        ge=2,
        description="with fewer, completeness is judged by the day's volume only",
    )
    band: float = Field(
        _QUALITY.band, gt=0, lt=1, description="probability below which a count of minutes is too low"
    )
    stretch_p: float = Field(
        _QUALITY.stretch_p, gt=0, lt=1, description="probability below which an empty stretch is a finding"
    )
    stretch_red_minutes: int = Field(
        _QUALITY.stretch_red_minutes, ge=1, description="an empty stretch this long in a busy name is RED"
    )
    stretch_red_p: float = Field(
        _QUALITY.stretch_red_p, gt=0, lt=1, description="what busy means there: mean occupancy"
    )
    day_volume_share: float = Field(
        _QUALITY.day_volume_share,
        ge=0,
        le=1,
        description="minutes with a smaller share of the day bar's volume lack some",
    )
    day_volume_whole: float = Field(
        _QUALITY.day_volume_whole,
        gt=0,
        description="minutes with at least this share of it are whole, also without a baseline",
    )
    early_close_share: float = Field(
        _QUALITY.early_close_share, gt=0, le=1, description="share of minutes with rows after an early close"
    )
    early_close_volume: float = Field(
        _QUALITY.early_close_volume,
        gt=0,
        description="and their median volume against regular minutes, from which the calendar is doubted",
    )
    restated: float = Field(
        _QUALITY.restated,
        ge=0,
        description="share by which a source may change a price that it had sent before; beyond it the session is AMBER until a later answer confirms it",
    )
    trades_share: float = Field(
        _QUALITY.trades_share,
        ge=0,
        le=1,
        description="share of minutes that may be other than own trades make them",
    )
