"""The report of a trained method: numbers beside its baselines, figures, faces, and a page that shows them."""

from faceuv.engine.report.making import make_report, rehearse_report
from faceuv.engine.report.setup import ReportSettings

__all__ = ["ReportSettings", "make_report", "rehearse_report"]
