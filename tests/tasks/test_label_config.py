"""What is found in a labeling configuration, and what people are warned of."""

from __future__ import annotations

import pytest

from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.label_config import LabelConfigError, Variable, parsed, variables
from otel_labelstudio.tasks.label_config_warnings import label_config_warnings

BOX = '<TextArea name="response" toName="t" rows="8" editable="true"/>'


def config(*tags: str, box: str = BOX) -> str:
    return f'<View><Text name="t" value="$prompt"/>{"".join(tags)}{box}</View>'


@pytest.mark.parametrize(
    ("label_config", "expected"),
    [
        (config(box='<TextArea name="a" toName="t"/><TextArea name="b" toName="t"/>'), "a"),
        (config(box='<TextArea name="a" toName="t" perRegion="true"/><TextArea name="b" toName="t"/>'), "b"),
        (
            config(
                '<Image name="i" value="$i"/>', box='<TextArea name="a" toName="i"/><TextArea name="b" toName="t"/>'
            ),
            "b",
        ),
        (
            config(
                '<Repeater on="$l"><Text name="x_{{idx}}" value="$l[{{idx}}]"/>'
                '<TextArea name="a_{{idx}}" toName="x_{{idx}}"/></Repeater>'
            ),
            "response",
        ),
    ],
    ids=["the first", "not for regions", "not beside an image", "not in a Repeater"],
)
def test_the_first_box_that_can_hold_an_answer(label_config: str, expected: str) -> None:
    """As the handler's rule has it, but for those that cannot."""
    binding = binding_from_label_config(label_config)
    assert binding.from_name == expected
    assert all(box.obstacle for box in binding.passed_over)


def test_a_box_that_is_named() -> None:
    """By its name; one that is not there, or cannot hold an answer, is an error that says so."""
    both = config(box='<TextArea name="a" toName="t"/><TextArea name="b" toName="t" perRegion="true"/>')
    assert binding_from_label_config(both, "a").from_name == "a"
    with pytest.raises(LabelConfigError, match=r'"b" cannot hold the answers: it is for single regions'):
        binding_from_label_config(both, "b")
    with pytest.raises(LabelConfigError, match=r'no TextArea "c" \(answer_tag\), but a, b'):
        binding_from_label_config(both, "c")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ('<Header value="$model"/>', {"model": "Header"}),
        ('<Header value="$model / $service.name in $x"/>', {"model": "Text", "service.name": "Text", "x": "Text"}),
        ('<Text name="x" value="By $model, $service"/>', {"model": "Text", "service": "Text"}),
        # The server asks for the whole of it
        (
            '<Text name="x" value="$model / $service"/>',
            {"model / $service": "Text", "model": "Text", "service": "Text"},
        ),
        ('<Choices name="c" toName="t" value="$c"/><Header value="$c"/>', {"c": "Choices"}),
        ('<Header value="$c"/><Choices name="c" toName="t" value="$c"/>', {"c": "Choices"}),
        ('<Table name="x" value="$rows"/><Label hint="$h" value="$l"/>', {"rows": "Table", "h": "Text", "l": "Label"}),
    ],
)
def test_every_variable_of_an_attribute(tag: str, expected: dict[str, str]) -> None:
    """Each with the type of its tag, where it stands alone."""
    found = {variable.name: variable.tag for variable in variables(parsed(config(tag))) if variable.name != "prompt"}
    assert found == expected


def test_the_keys_of_turns() -> None:
    """Paragraphs name them; a Chat has the conventions' own."""
    tags = '<Paragraphs name="p" value="$p" nameKey="who"/><Chat name="c" value="$c"/>'
    assert variables(parsed(config(tags)))[1:] == [
        Variable("p", "Paragraphs", "who", "text"),
        Variable("c", "Chat", "role", "content"),
    ]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ('<Text name="task" value="$task"/><Text name="p" value="$prompt"/>', "prompt"),
        ('<Text name="d" value="$document"/><Text name="s" value="$summary"/>', "document"),
        ('<Image name="i" value="$image"/><Paragraphs name="p" value="$messages"/>', "messages"),
    ],
)
def test_the_prompt_of_an_interface_without_a_text_area(tags: str, expected: str) -> None:
    """Where a name says so, else the first tag that can show it; only if predictions are not required."""
    label_config = f'<View>{tags}<Rating name="r" toName="p"/></View>'
    binding = binding_from_label_config(label_config, require_prediction=False)
    assert (binding.data_key, binding.from_name) == (expected, None)
    with pytest.raises(LabelConfigError, match="require_prediction=false"):
        binding_from_label_config(label_config)


def test_an_interface_that_shows_no_text() -> None:
    """There is no place for a call."""
    with pytest.raises(LabelConfigError, match="no tag that shows text"):
        binding_from_label_config('<View><Image name="i" value="$i"/></View>', require_prediction=False)


@pytest.mark.parametrize("mode", Mode)
def test_our_own_configurations_warn_of_nothing(mode: Mode) -> None:
    """They are the defaults."""
    label_config = default_label_config(mode)
    assert label_config_warnings(label_config, binding_from_label_config(label_config)) == []


@pytest.mark.parametrize(
    ("label_config", "warning"),
    [
        (config(box='<TextArea name="a" toName="t" editable="true"/>'), "has one row"),
        (config(box='<TextArea name="a" toName="t" rows="4"/>'), "is not editable"),
        (config('<Markdown name="m" value="$x"/>'), "runs scripts"),
        (config('<Paragraphs name="p" value="$p"/>'), "joins the lines"),
        (config('<Audio name="s" value="$s"/>'), 'the <Audio> tag "s" stays empty'),
        (config('<Image name="s" value="$s"/>'), "shows the last inline image"),
        (config('<Chat name="s" value="$s"/>'), "open-source edition"),
        (config(box=f'<TextArea name="notes" toName="t" rows="4" editable="true"/>{BOX}'), 'answer_tag="response"'),
        (config(box=f'<TextArea name="a" toName="t" perRegion="true"/>{BOX}'), '"a" is not used for the answers'),
    ],
)
def test_what_people_are_warned_of(label_config: str, warning: str) -> None:
    """One warning each, with what to do."""
    (found,) = label_config_warnings(label_config, binding_from_label_config(label_config))
    assert warning in found
