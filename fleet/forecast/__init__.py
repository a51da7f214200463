"""The forecast of demand: by queue, day and hour for four weeks, with bands; what it got wrong. The door of the
package: import from here."""

from fleet.forecast.dates import EFFECT_PRIOR, EFFECTS, day_facts
from fleet.forecast.events import add_event, events_between, withdraw_event
from fleet.forecast.making import (
    Forecast,
    ForecastReport,
    compute_forecast,
    compute_forecasts,
    is_forecast,
    keep_forecast,
    keep_said,
    learn,
    make_forecast,
)
from fleet.forecast.measured import History, load_history
from fleet.forecast.outcome import (
    Backtest,
    SiteOutcome,
    WeekOutcome,
    backtest,
    event_outcome,
    recall,
    week_outcome,
    weeks_said,
)

__all__ = [
    "EFFECTS",
    "EFFECT_PRIOR",
    "Backtest",
    "Forecast",
    "ForecastReport",
    "History",
    "SiteOutcome",
    "WeekOutcome",
    "add_event",
    "backtest",
    "compute_forecast",
    "compute_forecasts",
    "day_facts",
    "event_outcome",
    "events_between",
    "is_forecast",
    "keep_forecast",
    "keep_said",
    "learn",
    "load_history",
    "make_forecast",
    "recall",
    "week_outcome",
    "weeks_said",
    "withdraw_event",
]
