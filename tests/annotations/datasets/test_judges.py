"""The folders and rows as those take them who train: `datasets` of two series, TRL's data utilities, 41 chat templates.

They run in environments of their own, without PyTorch.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations.datasets import DatasetOptions, Kind, write_dataset
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.examples import examples_of
from otel_labelstudio.annotations.datasets.trl import row
from otel_labelstudio.annotations.records import JudgedCall
from tests.annotations.datasets.garden import accepted, answering, call, edited, text
from tests.peers.installed import python_with

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="their newest versions need Python 3.11")

HERE = Path(__file__).parent
# These cannot render a call of a tool, whatever one writes
NO_TEMPLATE_FOR_TOOLS = {
    "cohere": "wants user and assistant to take turns",
    "cohere2": "wants user and assistant to take turns",
    "deepseekv3": "adds the arguments to a text, so wants them as text",
    "gemma": "has no system role",
    "gemma3": "wants user and assistant to take turns",
    "idefics3": "takes contents as lists of parts alone",
    "llava_next": "takes contents as lists of parts alone",
    "smolvlm": "takes contents as lists of parts alone",
}
# These leave tools out in silence: they were made for models that cannot call any
WITHOUT_TOOLS = {"deepseek_r1_distill", "llama3", "phi3", "phi3_5", "qwen2_5_vl"}
# Of the templates without tools, those that cannot render a plain dialogue with a system message either
NO_TEMPLATE_FOR_SYSTEM = {"gemma", "idefics3", "llava_next", "smolvlm"}
PREPARED_WITH = ("qwen3", "qwen3_6", "llama3_2", "gemma4", "glm4moe")


def one_row(judged: JudgedCall, kind: Kind = Kind.SFT) -> dict[str, Any]:
    """The first row of a kind."""
    options = DatasetOptions(accepted_is_good=True)
    found = next(examples_of(judged, kind, options))
    assert isinstance(found, Example)
    return row(found, options)


def run(peer: str, script: str, *arguments: str, given: Any = None) -> Any:
    """What a script prints as JSON in an environment with a peer's packages, and without a network."""
    command = [str(python_with(peer)), str(HERE / "judges" / script), *arguments]
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, timeout=600, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def rendered() -> Any:
    """What the templates make of three rows, which are a tool call, an answer after a tool's result and an answer to a
    question, and what TRL makes of one row of each kind."""
    question = (text("user", "Do you have roses?"),)
    plain = one_row(accepted(answering(3, tool_definitions=(), input_messages=question)))
    asking, answered = one_row(accepted(call())), one_row(accepted(answering()))
    prepare = {
        "sft": answered,
        "dpo": one_row(edited(answering(), "Yes, just four."), Kind.DPO),
        "kto": one_row(accepted(call()), Kind.KTO),
        "lm": {"messages": answered["prompt"] + answered["completion"], "tools": answered["tools"]},
    }
    given = {"rows": [asking, answered, plain], "prepare": prepare, "with": PREPARED_WITH}
    return run("trl", "render.py", given=given)


def test_chat_templates_render_the_rows_right(rendered: Any) -> None:
    """33 of the 41 render rows with tools: 28 have all of it, arguments as JSON and not as JSON text in JSON; 5 know no
    tools and have the rest. 37 render a plain dialogue."""
    texts = rendered["rendered"]
    assert len(texts) == 41
    failed = {name for name, of in texts.items() if of[0].startswith("ERROR") or of[1].startswith("ERROR")}
    assert failed == set(NO_TEMPLATE_FOR_TOOLS)
    wanted = (["garden shop", "Do you have roses?"], ["garden shop", "Do you have roses?", "Yes, four roses"])
    of_tools = (["stock", "article", "rose", "How many of an article"], ["stock", "rose", "count"])
    for name in texts.keys() - failed:
        for rendered_row, words, tool_words in zip(texts[name], wanted, of_tools, strict=False):
            here = words if name in WITHOUT_TOOLS else words + tool_words
            assert [word for word in here if word not in rendered_row] == [], name
            assert "None" not in rendered_row, name
            assert '{\\"article' not in rendered_row, name
    plain = {n for n, of in texts.items() if "garden shop" not in of[2] or "Yes, four roses" not in of[2]}
    assert plain == NO_TEMPLATE_FOR_SYSTEM


def test_trl_prepares_rows_of_each_kind(rendered: Any) -> None:
    """TRL's own utilities take the rows of SFT, DPO and KTO, and the messages of a language-modeling row, with tools:
    prompt and completion are told apart, and the tools stand in the prompt."""
    for name, of in rendered["prepared"].items():
        assert "four roses" in of["sft"]["completion"], name
        assert "four roses" not in of["sft"]["prompt"], name
        assert "How many of an article" in of["sft"]["prompt"], name
        assert "just four" in of["dpo"]["chosen"], name
        assert "four roses" in of["dpo"]["rejected"], name
        assert "rose" in of["kto"]["completion"], name
        assert of["kto"]["label"] is True
        assert "How many of an article" in of["lm"]["text"], name


def without_tools(number: int, answer: str) -> JudgedCall:
    """A call of an application that has no tools."""
    question = (text("user", f"What? {number}"),)
    return accepted(answering(number, answer, tool_definitions=(), input_messages=question), number)


@pytest.fixture(scope="module")
def long_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 rows without a tool, of more than the 10 MB from which types are inferred, and then the first with one."""
    directory = tmp_path_factory.mktemp("long") / "shop"
    long = "A rose is a rose. " * 120
    rows = (without_tools(number, f"{long}{number}") for number in range(1, 6001))
    with_tools = (accepted(call(6001), 6001), edited(answering(6002), "Yes, just four.", number=6002))
    write_dataset(chain(rows, with_tools), directory, DatasetOptions(train_share=1))
    assert (directory / "sft" / "train.jsonl").stat().st_size > 12_000_000
    return directory


@pytest.mark.parametrize("peer", ["trl", "datasets-4"])
def test_datasets_loads_the_folder_at_any_size(peer: str, long_folder: Path, tmp_path: Path) -> None:
    """The folder loads by its name and a kind's, whole and as a stream, the first kind by default; the first tool call
    stands behind 10 MB, and arrives as it is."""
    found = run(peer, "load.py", str(long_folder), str(tmp_path / "cache"), "6000")
    assert found["version"].startswith("5." if peer == "trl" else "4.")
    assert found["default"] == ["completion", "prompt", "tools"]
    sft = found["kinds"]["sft"]["train"]
    assert sft["rows"] == sft["streamed"] == 6002
    assert sft["first"]["tools"] is None
    assert sft["first"]["prompt"][1] == {"role": "user", "content": "What? 1"}
    assert sft["row"] == one_row(accepted(call(6001)))
    assert found["kinds"]["dpo"]["train"]["rows"] == 1


@pytest.mark.parametrize("name", ["trl", "openai", "calls"])
def test_datasets_loads_every_kind_of_every_format(name: str, tmp_path: Path) -> None:
    """Each kind is a configuration of its own, with the columns that its rows have, or some of them."""
    kinds = tuple(kind for kind in Kind if name != "openai" or kind is not Kind.KTO)
    options = DatasetOptions(kinds=kinds, format=name, train_share=1, accepted_is_good=True)
    first = answering(1, request_parameters={"parallel_tool_calls": False})
    write_dataset([edited(first, "Four."), accepted(call(2), 2)], tmp_path / "shop", options)
    found = run("trl", "load.py", str(tmp_path / "shop"), str(tmp_path / "cache"), "0")
    assert found["kinds"].keys() == {kind.value for kind in kinds}
    for kind, splits in found["kinds"].items():
        lines = (tmp_path / "shop" / kind / "train.jsonl").read_text(encoding="utf-8").splitlines()
        assert splits["train"]["first"] == json.loads(lines[0])


def test_tools_as_text_load_where_json_is_not_known(tmp_path: Path) -> None:
    """With ``tools_as_text`` no column is of a type that older versions do not know."""
    write_dataset([accepted(call())], tmp_path / "shop", DatasetOptions(tools_as_text=True, train_share=1))
    assert "json" not in (tmp_path / "shop" / "README.md").read_text().split("---")[1].replace("jsonl", "")
    found = run("datasets-4", "load.py", str(tmp_path / "shop"), str(tmp_path / "cache"), "0")
    loaded = found["kinds"]["sft"]["train"]["first"]
    assert json.loads(loaded["tools"])[0]["function"]["name"] == "stock"
    [tool_call] = loaded["completion"][0]["tool_calls"]
    assert json.loads(tool_call["function"]["arguments"]) == {"article": "rose", "shop": 3}
