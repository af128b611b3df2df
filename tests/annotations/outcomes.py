"""What the acts of tests/browser/test_acts.py come to, in words."""

from __future__ import annotations

from typing import TypeAlias

from otel_labelstudio.annotations.records import JudgedCall, Judgement, Verdict

Outcome: TypeAlias = list[str]

CUSTOM = """
<View>
  <Text name="left" value="$answer_a"/>
  <Text name="right" value="$answer_b"/>
  <Pairwise name="better" toName="left,right"/>
  <List name="answers" value="$answers" title="Answers"/>
  <Ranker name="rank" toName="answers"/>
  <List name="sorted" value="$choices" title="Sorted"/>
  <Ranker name="sort" toName="sorted">
    <Bucket name="best" title="Best"/><Bucket name="ok" title="OK" default="true"/><Bucket name="bad" title="Poor"/>
  </Ranker>
  <Paragraphs name="dialogue" value="$messages" layout="dialogue" nameKey="role" textKey="content"/>
  <ParagraphLabels name="turn" toName="dialogue"><Label value="wrong fact"/></ParagraphLabels>
  <Choices name="verdict" toName="dialogue">
    <Choice value="Fine" alias="safe"/><Choice value="Bad" alias="unsafe"/>
  </Choices>
  <Choices name="tags" toName="dialogue" choice="multiple"><Choice value="polite"/><Choice value="wrong"/></Choices>
  <Number name="score" toName="dialogue" min="0" max="10"/>
  <TextArea name="correction" toName="dialogue" editable="true" rows="4"/>
  <TextArea name="why" toName="dialogue" rows="2" maxSubmissions="1"/>
</View>"""

CONDITIONAL = """
<View>
  <Text name="dialogue" value="$prompt"/>
  <Choices name="verdict" toName="dialogue"><Choice value="good"/><Choice value="bad"/></Choices>
  <TextArea name="response" toName="dialogue" editable="true" visibleWhen="choice-selected" whenTagName="verdict"
    whenChoiceValue="bad"/>
</View>"""


def outcome(call: JudgedCall) -> Outcome:
    """All that is said of a call, a line each."""
    lines = [line for judgement in call.judgements for line in _lines(judgement)]
    return lines + [f"not counted: {why.value}" for why in call.disregarded.values()]


def _lines(judgement: Judgement) -> list[str]:
    said = [f"{a.act.value}: {a.final!r}" for a in judgement.answers]
    said += [f"written: {text!r}" for text in judgement.written]
    said += map(_verdict, judgement.verdicts)
    said += [f"{p.better} > {p.worse} by {p.control}" for p in judgement.preferences]
    said += [f"liked: {index}" for index in sorted(judgement.liked)]
    return said + [f"disliked: {index}" for index in sorted(judgement.disliked)]


def _verdict(verdict: Verdict) -> str:
    place = "" if verdict.index is None else f" of {verdict.about.value} {verdict.index}"
    scale = "" if verdict.max_value is None else f" of {verdict.max_value:g}"
    return f"{verdict.kind} {verdict.name}{place}: {verdict.value!r}{scale}"


_POPLAR = "The poplar grows fast.\nIt likes wet soil."
_TALL = f"{_POPLAR} And it is tall."
_ESCALATED = (
    "I tried to cancel **HB-20418**, but it is being picked right now.\n"
    '[tool call] escalate({"order_id": "HB-20418", "reason": "other"})'
)

OUTCOMES: dict[str, dict[str, Outcome]] = {
    "chat": {
        "skipped": ["not counted: skipped"],
        "accepted": [f"accepted: {_POPLAR!r}"],
        "edited": [f"edited: {_TALL!r}"],
        "edited and back": [f"accepted: {_POPLAR!r}"],
        "written anew": ["rewritten: 'A willow, and nothing else.'"],
        "rated": [f"accepted: {_POPLAR!r}", "rating rating: 4 of 5"],
        "choices": ["removed: None", "edited: 'Ember red'", "accepted: 'Snow'"],
        "duplicated": [f"edited: {_TALL!r}", "not counted: superseded"],
    },
    "prompt": {
        "accepted": ["accepted: '  Roses are red.'"],
        "edited": ["edited: '  Roses are red. So are tulips.'"],
        "white space": ["whitespace: '  Roses are red.  '"],
    },
    "review": {
        "corrected": [
            "edited: 'A line.\\nAnother.'",
            "rating rating: 2 of 5",
            "comment comment: 'Too short.'",
            "choices verdict: ('bad',)",
            "choices reasons: ('style',)",
        ],
        "cleared": ["removed: None", "choices verdict: ('bad',)"],
    },
    "compare": {
        "best": [
            *("accepted: 'Every road.'", "accepted: 'The long way.'", "accepted: 'Just ride.'"),
            "choices verdict of answer 2: ('bad',)",
            "choices best: ('2',)",
            *("1 > 0 by best", "1 > 2 by best"),
            *("liked: 1", "disliked: 2"),
        ],
        "none": [
            *("accepted: 'Every road.'", "accepted: 'The long way.'", "accepted: 'Just ride.'"),
            "choices best: ('none',)",
            *("disliked: 0", "disliked: 1", "disliked: 2"),
        ],
    },
    "agent": {
        "run": [
            f"accepted: {_ESCALATED!r}",
            "choices step_verdict of step 1: ('wrong arguments',)",
            "choices verdict: ('partly',)",
        ]
    },
    "custom": {
        "all": [
            *("accepted: 'Dawn'", "accepted: 'Ember'", "accepted: 'Snow'", "written: 'My own rose.'"),
            "choices better: ('right',)",
            "choices turn of turn 0: ('wrong fact',)",
            "choices verdict: ('unsafe',)",
            "choices tags: ('polite', 'wrong')",
            "number score: 7",
            "comment why: 'It is rude.'",
            *("1 > 0 by better", "2 > 0 by rank", "2 > 1 by rank", "0 > 1 by rank"),
            *("1 > 2 by sort", "1 > 0 by sort", "2 > 0 by sort"),
            *("liked: 1", "disliked: 0"),
        ],
        "untouched": [
            *("accepted: 'Dawn'", "accepted: 'Ember'", "accepted: 'Snow'"),
            "choices verdict: ('unsafe',)",
        ],
    },
    "conditional": {
        "good": ["untouched: 'A line.'", "choices verdict: ('good',)"],
        "corrected": ["edited: 'A line. Another.'", "choices verdict: ('bad',)"],
        "cleared": ["untouched: 'A line.'", "choices verdict: ('bad',)"],
    },
}
