"""The evaluation by human feedback: figures of judged calls, and how they are shown. Needs the extra ``report``.

`build` counts, `summary`, `comparing` and `agreement` make figures of the counts, `page`, `as_json` and `as_text` show
them.
"""

from otel_labelstudio.annotations.report.build import report_of
from otel_labelstudio.annotations.report.comparing import periods
from otel_labelstudio.annotations.report.page import TITLE
from otel_labelstudio.annotations.report.records import Period, Report
from otel_labelstudio.annotations.report.writing import Format, shown, write_report

__all__ = ["TITLE", "Format", "Period", "Report", "periods", "report_of", "shown", "write_report"]
