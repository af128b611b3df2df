"""Rows rendered by the chat templates that TRL ships, and prepared by TRL's own data utilities; runs in an environment
of its own, without PyTorch. Standard input: {"rows": [...], "prepare": {kind: row}, "with": [template]}."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import transformers
import trl
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from trl.data_utils import apply_chat_template

TEMPLATES = Path(trl.__file__).parent / "chat_templates"


def tokenizer(template: Path) -> Any:
    """One that knows no words: only the text is looked at."""
    bare = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    made = PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>")
    made.chat_template = template.read_text(encoding="utf-8")
    return made


def rendered(template: Path, row: dict[str, Any]) -> str:
    """The whole row as text, or the error of the template."""
    messages = row["prompt"] + row["completion"]
    try:
        return str(tokenizer(template).apply_chat_template(messages, tools=row.get("tools"), tokenize=False))
    except Exception as error:
        return f"ERROR {type(error).__name__}: {error}"


def main() -> None:
    transformers.logging.set_verbosity_error()
    asked = json.load(sys.stdin)
    templates = sorted(path for path in TEMPLATES.glob("*.jinja") if not path.stem.endswith("_training"))
    texts = {path.stem: [rendered(path, row) for row in asked["rows"]] for path in templates}
    prepared = {
        name: {
            kind: apply_chat_template(row, tokenizer(TEMPLATES / f"{name}.jinja"), tools=row.get("tools"))
            for kind, row in asked["prepare"].items()
        }
        for name in asked["with"]
    }
    json.dump({"rendered": texts, "prepared": prepared}, sys.stdout)


if __name__ == "__main__":
    main()
