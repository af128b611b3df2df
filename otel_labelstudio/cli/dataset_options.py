"""The flags of the command ``dataset``: one for each field of `DatasetOptions`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from otel_labelstudio.annotations.datasets import DatasetOptions, Kind, Several
from otel_labelstudio.annotations.datasets.formats import FORMATS
from otel_labelstudio.annotations.datasets.options import Choice
from otel_labelstudio.cli.settings import settings_from

_DEFAULT = DatasetOptions()


def add_option_arguments(parser: argparse.ArgumentParser) -> None:
    """What rows are made, of whose words, and how they are written."""
    _add_kinds(parser)
    _add_judging(parser.add_argument_group("whose word counts"))
    _add_opinions(parser.add_argument_group("what is good, and what is bad"))
    _add_writing(parser.add_argument_group("what is written"))


def options_from(options: argparse.Namespace) -> DatasetOptions:
    """The options of the flags; raises `ConfigError`."""
    given = {f.name: getattr(options, f.name) for f in fields(DatasetOptions) if f.name != "call_filter"}
    return DatasetOptions(**given, call_filter=settings_from(options, needs_server=False).call_filter)


def _add_kinds(parser: argparse.ArgumentParser) -> None:
    _add(
        parser,
        "--kind",
        dest="kinds",
        type=_kinds,
        metavar="KIND,...",
        help="sft: answers to learn from; dpo: pairs of a better and a worse answer; kto: good and bad answers; "
        "eval: the model's answers with what people said of them; default sft,dpo",
    )
    _add(
        parser,
        "--format",
        choices=tuple(FORMATS),
        help="trl, also for Unsloth; openai, also for Azure, Together and Fireworks; or calls, which loses nothing; "
        "default trl",
    )


def _add_judging(group: argparse._ArgumentGroup) -> None:
    _add(
        group,
        "--several",
        type=_of("latest", "ground-truth", "agree", "each", values=tuple(Several)),
        metavar="{latest,ground-truth,agree,each}",
        help="where several people judged one call; default ground-truth, and where there is none, latest",
    )
    people = {"type": _names, "metavar": "EMAIL|ID,..."}
    _add(group, "--annotators", **people, help="use only these people's annotations")
    _add(group, "--exclude-annotators", **people, help="skip these people's annotations")
    _add(group, "--min-lead-time-s", type=float, metavar="SECONDS", help="skip annotations made in less time")
    _add(
        group,
        "--bulk",
        type=_of("keep", "drop"),
        metavar="{keep,drop}",
        help="annotations that Label Studio made of predictions, which nobody judged; default drop",
    )


def _add_opinions(group: argparse._ArgumentGroup) -> None:
    _add(group, "--min-rating", type=float, metavar="NUMBER", help="lowest rating of a good answer; default 4")
    _add(group, "--max-bad-rating", type=float, metavar="NUMBER", help="highest rating of a bad answer; default 2")
    for name in ("good", "bad"):
        default = ",".join(sorted("=".join(choice) for choice in getattr(_DEFAULT, name)))
        said = f"choices that call an answer {name}; default {default}"
        _add(group, f"--{name}", type=_choices, metavar="CONTROL=VALUE,...", help=said)
    _add(
        group,
        "--accepted",
        type=_of("keep", "drop"),
        metavar="{keep,drop}",
        help="answers that a person submitted unchanged, in sft; default keep",
    )
    _add(group, "--accepted-is-good", action="store_true", help="in kto they are good, even without a rating")
    _add(group, "--edited-is-bad", action="store_true", help="in kto what was edited is bad, unless it is rated good")
    _add(
        group,
        "--min-edit",
        type=float,
        metavar="SHARE",
        help="leave out pairs whose texts differ in a smaller share of their characters, 0 to 1",
    )


def _add_writing(group: argparse._ArgumentGroup) -> None:
    _add(group, "--reasoning", action="store_true", help="write the model's reasoning as reasoning_content (trl)")
    _add(
        group,
        "--media",
        type=_of("parts", "skip"),
        metavar="{skip,parts}",
        help="leave out rows with images, audio or files, or write them as OpenAI's content parts; default skip",
    )
    _add(
        group,
        "--incomplete",
        type=_of("keep", "skip"),
        metavar="{skip,keep}",
        help="calls that the telemetry does not have whole; default skip",
    )
    _add(
        group,
        "--tools-as-text",
        action="store_true",
        help="write tools and their arguments as JSON text, for versions of datasets before 4.7 (trl)",
    )
    _add(
        group,
        "--split",
        dest="train_share",
        type=_train_share,
        metavar="TRAIN/TEST",
        help="shares of conversations; default 0.9/0.1",
    )
    _add(
        group,
        "--split-by",
        choices=("conversation", "trace", "prompt"),
        help="calls that stay together; default conversation, and where there is none, trace",
    )
    _add(
        group,
        "--annotator",
        choices=("hash", "email", "none"),
        help="how provenance.jsonl names people; default by a keyed hash",
    )


def _add(parser: argparse._ActionsContainer, flag: str, **options: Any) -> None:
    name = options.get("dest", flag.removeprefix("--").replace("-", "_"))
    parser.add_argument(flag, default=getattr(_DEFAULT, name), **options)


def _of(*words: str, values: tuple[Any, ...] = (True, False)) -> Callable[[str], Any]:
    """A reader of one of these words."""

    def read(text: str) -> Any:
        if text in words:
            return values[words.index(text)]
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(sorted(words))}")

    return read


def _kinds(text: str) -> tuple[Kind, ...]:
    try:
        return tuple(dict.fromkeys(Kind(word.strip()) for word in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: give some of {', '.join(kind.value for kind in Kind)}") from None


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _choices(text: str) -> frozenset[Choice]:
    pairs = [tuple(pair.split("=", 1)) for pair in text.split(",") if pair.strip()]
    if any(len(pair) < 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f"{text!r}: give the name of a control and a value, as in verdict=good")
    return frozenset((pair[0].strip(), pair[1].strip()) for pair in pairs)


def _train_share(text: str) -> float:
    try:
        train, test = (float(share) for share in text.split("/"))
    except ValueError:
        train, test = -1, 0
    if min(train, test) < 0 or abs(train + test - 1) > 1e-6:
        raise argparse.ArgumentTypeError(f"{text!r}: give two shares whose sum is 1, as in 0.9/0.1")
    return train
