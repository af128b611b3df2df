"""The README as its reader follows it: blocks of code, and what they should show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w.]+\.\w+)\n")
# A password or a key, drawn at random; a directory's passing name
_RANDOM = re.compile(r"(?=\S*\d)[\w-]{16,}|/tmp/\S+")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and what stands in it."""

    language: str
    text: str

    @property
    def is_file(self) -> bool:
        """Whether its first line is the name of a file to put it into."""
        return self.language != "sh" and _FILE.match(self.text) is not None

    def as_command(self) -> str:
        """What to type into a shell: the block itself, or how a reader puts a file where it belongs."""
        if self.language == "sh":
            return self.text
        name = self.text.split()[1]
        return f"cat > {name} <<'END OF THE FILE'\n{self.text}END OF THE FILE\n"


def blocks_under(heading: str) -> list[Block]:
    """The blocks between a heading and the next one, of whatever level."""
    (after,) = re.findall(
        rf"^#+ {re.escape(heading)}[^\n]*\n(.*?)(?=^#+ |\Z)", _without_comments(), re.DOTALL | re.MULTILINE
    )
    return [Block(language, text.replace("\0", "#")) for language, text in _BLOCK.findall(after)]


def script(blocks: list[Block]) -> str:
    """The commands and files of the blocks, top to bottom, for one shell."""
    return "\n".join(block.as_command() for block in blocks if block.language == "sh" or block.is_file)


def shown(blocks: list[Block]) -> str:
    """What the reader is told to see; nothing in particular where no block says it."""
    return "".join(block.text for block in blocks if block.language == "text")


def substituted(text: str, *, api_key: str, ports: Mapping[str, int]) -> str:
    """What a reader, too, puts in the place of what stands there: the key, and ports that are taken."""
    text = text.replace("YOUR-API-KEY", api_key)
    return re.sub(r"\b(\d{4})\b", lambda found: str(ports.get(found[1], found[1])), text)


def assert_shown(expected: str, output: str) -> None:
    """Each line of the README stands in the output, in this order; others may stand between them, where the README has
    three dots or not. Numbers may be others, and so may what is drawn at random."""
    lines = iter(output.splitlines())
    for line in expected.splitlines():
        if line.strip() not in ("", "..."):
            assert any(re.fullmatch(_pattern(line), found) for found in lines), f"{line!r} is not in\n{output}"


def _pattern(line: str) -> str:
    words = (
        r"\S+" if _RANDOM.fullmatch(word) else re.sub(r"\d+", lambda _: r"\d+", re.escape(word))
        for word in line.split(" ")
    )
    return " ".join(words)


def _without_comments() -> str:
    """The README, with the number signs inside its blocks hidden: they are no headings."""
    return _BLOCK.sub(lambda block: block[0].replace("#", "\0"), README)
