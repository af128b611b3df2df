"""What people did with the answers of a call. Pure: an `AnnotatedTask` in, a `JudgedCall` out.

Text decides: an answer is accepted where its text is as it was, whatever Label Studio wrote of its origin, which calls
an edit that was taken back a change. What it was is what the call says, as the task showed it, and not what Label
Studio keeps beside an annotation: that is a prediction of the project's model version, and not always the one that the
person started from.
"""

from otel_labelstudio.annotations.judging.guarded import judged_or_left_out
from otel_labelstudio.annotations.judging.judgements import judge

__all__ = ["judge", "judged_or_left_out"]
