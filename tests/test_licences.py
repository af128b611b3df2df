"""The licences of all that the package brings: each was looked at, and none binds the application that installs it."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What a user may install; the demo's packages, and the tests', are for looking at
EXTRAS = ("langchain", "receiver", "report", "zero-code")
# What binds whoever passes it on, by the one extra that brings it: it is never part of an application that is traced
BINDING = {"krippendorff": ("report", "GPL-3.0-or-later")}
PERMISSIVE = re.compile(
    r"Apache|MIT|BSD|ISC|PSF|Python Software Foundation|CNRI-Python|TCL|HPND|Zlib|Unlicense|Mozilla Public License 2\.0"
    r"|MPL-2\.0"  # binds whoever changes the package's own files
)
# Whose metadata say nothing, and what stands in their LICENSE
LOOKED_AT = {"label-studio-sdk": "Apache License"}


def brought(*extras: str) -> dict[str, Distribution]:
    """The package, and all that it needs with these extras, by their names."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [("otel-labelstudio", extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = distribution(name)
        for requirement in map(Requirement, found[name].requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(requirement.name), each) for each in ("", *requirement.extras)]
    return found


def licences(found: Distribution) -> list[str]:
    """Of which it has one, or all: from an SPDX expression, from classifiers, or from a line of text."""
    told = found.metadata.json
    if expression := told.get("license_expression"):
        return re.split(r"\s+(?:AND|OR)\s+", str(expression))
    classifiers = [name for name in told.get("classifier", []) if name.startswith("License ::")]
    named = [name.rpartition(" :: ")[2] for name in classifiers if not name.endswith("OSI Approved")]
    return named or [text for text in [str(told.get("license", "")).partition("\n")[0]] if text]


def test_every_licence_is_permissive() -> None:
    """Or binds whoever changes the files of that package alone; one that says nothing was looked at."""
    found = {name: licences(each) for name, each in brought(*EXTRAS).items()}
    assert {name for name, of_it in found.items() if not of_it} == set(LOOKED_AT)
    assert all(text in (distribution(name).read_text("LICENSE") or "") for name, text in LOOKED_AT.items())
    others = {name: of_it for name, of_it in found.items() if not all(map(PERMISSIVE.search, of_it))}
    assert others == {name: [licence] for name, (_, licence) in BINDING.items()}


@pytest.mark.parametrize("name", BINDING)
def test_what_binds_is_brought_by_one_extra(name: str) -> None:
    """Nobody gets it who did not ask for that extra."""
    of_extra, _ = BINDING[name]
    assert name in brought(of_extra)
    assert name not in brought(*(extra for extra in EXTRAS if extra != of_extra))


def test_the_packages_of_the_extras_are_among_them() -> None:
    """The test looks at what they bring, also indirectly."""
    expected = {"label-studio-sdk", "grpcio", "pandas", "opentelemetry-distro", "uvicorn", "h11"}
    assert expected <= brought(*EXTRAS).keys()


def test_another_licence_would_be_found() -> None:
    """The list knows no family of licences that binds an application."""
    for name in ("GPL-3.0-only", "LGPL-2.1", "GNU Affero General Public License v3", "SSPL-1.0", "Proprietary"):
        assert not PERMISSIVE.search(name)
