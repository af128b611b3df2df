"""Which calls a project takes, and what becomes of those that it does not."""

from __future__ import annotations

import logging

import pytest

from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.telemetry import chat, completion
from tests.delivery.test_projects import messages

# A configuration with every object tag whose values Label Studio checks, and more variables than a call can fill
EVERYTHING = """
<View>
  <Header name="head" value="$headline"/>
  <Text name="ctx" value="$context"/>
  <Text name="mdl" value="$model"/>
  <Text name="sys" value="$system_prompt"/>
  <HyperText name="html" value="$page"/>
  <Image name="img" value="$picture"/>
  <Audio name="aud" value="$sound"/>
  <Video name="vid" value="$film"/>
  <List name="lst" value="$items"/>
  <Ranker name="rank" toName="lst"/>
  <Table name="tab" value="$table"/>
  <TimeSeries name="ts" value="$series"><Channel column="a"/></TimeSeries>
  <Paragraphs name="other" value="$second" layout="dialogue"/>
  <Paragraphs name="dialogue" value="$turns" layout="dialogue" nameKey="role" textKey="content"/>
  <Text name="deep" value="$nested.inner.value"/>
  <Choices name="dyn" toName="ctx" value="$options"/>
  <Taxonomy name="tax" toName="ctx" value="$tree"/>
  <Labels name="lab" toName="ctx" value="$labels"/>
  <Text name="mixed" value="Asked by $user_id at $started_at"/>
  <Repeater on="$pages" indexFlag="{{idx}}">
    <Text name="page_{{idx}}" value="$pages[{{idx}}].text"/>
  </Repeater>
  <TextArea name="answer" toName="dialogue"/>
</View>
"""
BOXES = """
<View>
  <Labels name="kinds" toName="dialogue"><Label value="odd"/></Labels>
  <Paragraphs name="dialogue" value="$turns" nameKey="role" textKey="content"/>
  <TextArea name="spoken" toName="dialogue" perRegion="true"/>
  <Repeater on="$pages" indexFlag="{{idx}}">
    <Text name="page_text_{{idx}}" value="$pages[{{idx}}].text"/>
    <TextArea name="page_{{idx}}" toName="page_text_{{idx}}"/>
  </Repeater>
  <TextArea name="comment" toName="dialogue"/>
  <TextArea name="response" toName="dialogue"/>
</View>
"""
IMAGE = '<View><Image name="i" value="$picture"/><TextArea name="a" toName="i"/></View>'


def test_a_chat_in_prompt_mode_is_refused_with_one_error_line(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """The default mode refuses chats, as LangChain's handler does; the line names the tags and both ways out."""
    title = fresh_title("Refused")
    pipeline = pipelines(project_name=title, mode="prompt")
    pipeline.accept_calls([chat("SECRET-QUESTION", str(i)) for i in range(3)] + [completion(answer="kept")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["kept"]]
    (error,) = messages(caplog, logging.ERROR)
    for word in (title, "<Text>", "<Paragraphs>", 'mode="chat"', 'mode="auto"', "OTEL_EXPORTER_LABELSTUDIO_MODE"):
        assert word in error
    assert pipeline.telemetry.counts()["tasks.rejected[refused]"] == 3
    assert [letter.call.output_messages[0].parts[0].content for letter in pipeline.dead_letters()] == ["0", "1", "2"]  # type: ignore[union-attr]
    assert all("<Paragraphs>" in letter.reason for letter in pipeline.dead_letters())
    assert "SECRET" not in repr(pipeline.dead_letters())


def test_setting_the_mode_is_all_it_takes(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Chats in the default mode: the error line begins with the cause and the cure, and no project is made that would
    refuse chats in the right mode as well."""
    title = fresh_title("Unset")
    pipeline = pipelines(project_name=title, mode=None)
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    (error,) = messages(caplog, logging.ERROR)
    assert error.startswith(
        'A call was refused: mode="prompt" takes no chats: set mode="chat" or OTEL_EXPORTER_LABELSTUDIO_MODE=chat, or '
    )
    assert labeling.project_ids(title) == []
    pipeline = pipelines(project_name=title, mode="chat")
    pipeline.accept_calls([chat(answer="taken")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["taken"]]


def test_a_project_that_is_there_needs_another_name_too(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """A project keeps its labeling interface: where it is for prompts, the right mode alone does not help."""
    title = fresh_title("Refused")
    labeling.make_project(title, default_label_config(Mode.PROMPT))
    for mode, cure in (("prompt", "MODE=chat and another project_name"), ("chat", "Choose another project_name")):
        pipeline = pipelines(project_name=title, mode=mode)
        pipeline.accept_calls([chat()])
        assert pipeline.flush(240)
        assert cure in messages(caplog, logging.ERROR)[-1]


def test_a_project_config_that_does_not_fit_is_named(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the mode nor another title would help: the setting to change is project_config."""
    title = fresh_title("Refused")
    pipeline = pipelines(project_name=title, project_config=default_label_config(Mode.PROMPT))
    pipeline.accept_calls([chat()])
    assert pipeline.flush(240)
    (error,) = messages(caplog, logging.ERROR)
    assert error.startswith("A call was refused: project_config shows the prompt in a <Text> tag")
    assert labeling.project_ids(title) == []


def test_a_prompt_in_chat_mode_is_refused(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """The other way round, the line names the other mode."""
    title = fresh_title("Refused")
    pipeline = pipelines(project_name=title, mode="chat")
    pipeline.accept_calls([completion(), chat()])
    assert pipeline.flush(240)
    assert len(labeling.tasks(title)) == 1
    (error,) = messages(caplog, logging.ERROR)
    assert 'mode="prompt"' in error


def test_dead_letters_are_bounded(pipelines: Pipelines) -> None:
    """The newest refused calls are kept, up to a quarter of the outbox's bounds; all are counted."""
    pipeline = pipelines(project_name=fresh_title(), mode="prompt", outbox_max_calls=40)
    for i in range(5):
        pipeline.accept_calls([chat(answer=f"{i}{j}") for j in range(5)])
        assert pipeline.flush(240)
    until(lambda: pipeline.telemetry.counts()["tasks.rejected[refused]"] == 25)
    kept = [letter.call.output_messages[0].parts[0].content for letter in pipeline.dead_letters()]  # type: ignore[union-attr]
    assert kept == [f"{i}{j}" for i in (3, 4) for j in range(5)]


@pytest.mark.parametrize("mode", ["prompt", "chat", "auto"])
def test_calls_wait_for_a_tag_that_can_show_them(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """A project that shows an image has no place for a prompt: the line says why and where to mend it, and the call is
    delivered when somebody has."""
    title = fresh_title("Image")
    project_id = labeling.make_project(title, IMAGE)
    pipeline = pipelines(project_name=title, mode=mode)
    pipeline.accept_calls([completion() if mode == "prompt" else chat()])
    until(lambda: messages(caplog, logging.ERROR))
    assert not pipeline.flush(1)
    assert labeling.tasks(project_id) == []
    (error,) = messages(caplog, logging.ERROR)
    assert 'The TextArea "a" cannot hold the answers: it points to "i", an <Image>, which shows no text.' in error
    assert "Settings > Labeling Interface" in error
    labeling.change_project(project_id, label_config=default_label_config(Mode(mode)))
    assert pipeline.flush(240)
    assert len(labeling.tasks(project_id)) == 1


def test_auto_fits_chats_and_prompts_to_paragraphs(pipelines: Pipelines, labeling: Labeling) -> None:
    """In a project for chats a prompt is one user turn."""
    title = fresh_title("Auto")
    pipeline = pipelines(project_name=title, mode="auto")
    pipeline.accept_calls([chat("Hello?"), completion("Write.")])
    assert pipeline.flush(240)
    assert [task["data"]["prompt"] for task in labeling.tasks(title)] == [
        [{"role": "user", "content": "Hello?"}],
        [{"role": "user", "content": "Write."}],
    ]


def test_auto_fits_chats_and_prompts_to_text(pipelines: Pipelines, labeling: Labeling) -> None:
    """In a project for prompts a dialogue is written out."""
    title = fresh_title("Auto")
    project_id = labeling.make_project(title, default_label_config(Mode.PROMPT))
    pipeline = pipelines(project_name=title, mode="auto")
    system = chat("Hello?").input_messages[0].parts
    pipeline.accept_calls([chat("Hello?", system_instructions=system), completion("Write.")])
    assert pipeline.flush(240)
    prompts = [task["data"]["prompt"] for task in labeling.tasks(project_id)]
    assert prompts == ["system:\nHello?\n\nuser:\nHello?", "Write."]


def test_auto_refuses_nothing(pipelines: Pipelines, labeling: Labeling) -> None:
    """Where markup would be drawn it is escaped, and the answer is there."""
    title = fresh_title("Any")
    config = '<View><HyperText name="shown" value="$shown"/><TextArea name="answer" toName="shown"/></View>'
    project_id = labeling.make_project(title, config)
    pipeline = pipelines(project_name=title, mode="auto")
    pipeline.accept_calls([chat("<b>Hello?</b>", "Hi.")])
    assert pipeline.flush(240)
    (task,) = labeling.tasks(project_id)
    assert "&lt;b&gt;Hello?&lt;/b&gt;" in task["data"]["shown"]
    assert pipeline.dead_letters() == []


def test_the_answers_go_to_the_box_that_is_for_them(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Boxes that cannot hold an answer are passed over, which is said once; answer_tag names another."""
    title = fresh_title("Boxes")
    project_id = labeling.make_project(title, BOXES)
    caplog.set_level(logging.INFO, "otel_labelstudio")
    pipeline = pipelines(project_name=title, mode="chat")
    pipeline.accept_calls([chat(answer="to the first")])
    assert pipeline.flush(240)
    (line,) = [line for line in messages(caplog, logging.INFO) if "Skipped" in line]
    assert line.endswith(
        'the answers go to the TextArea "comment". Skipped: "spoken", because it is for single regions (perRegion); '
        '"page_{{idx}}", because it is repeated (Repeater).'
    )
    pipeline = pipelines(project_name=title, mode="chat", answer_tag="response")
    pipeline.accept_calls([chat(answer="to the named one")])
    assert pipeline.flush(240)
    assert labeling.texts(title) == [["to the first"], ["to the named one"]]
    regions = [task["predictions"][0]["result"][0]["from_name"] for task in labeling.tasks(project_id)]
    assert regions == ["comment", "response"]


def test_a_custom_configurations_variables_are_filled_or_empty(pipelines: Pipelines, labeling: Labeling) -> None:
    """Label Studio refuses a task that lacks a variable or has another type in it: every tag whose values it checks
    gets one that it takes, from the call where the call has it."""
    title = fresh_title("Everything")
    pipeline = pipelines(project_name=title, project_config=EVERYTHING)
    system = chat("Be kind.").input_messages[0].parts
    pipeline.accept_calls([chat("Hello?", "Hi.", system_instructions=system, user_id="ada")])
    assert pipeline.flush(240)
    assert pipeline.dead_letters() == []
    (task,) = labeling.tasks(title)
    assert task["data"]["model"] == "gpt-4o-mini"
    assert task["data"]["system_prompt"] == "Be kind."
    assert task["data"]["user_id"] == "ada"
    assert task["data"]["picture"] == ""
    assert task["data"]["pages"] == []
    assert task["data"]["turns"][1] == {"role": "user", "content": "Hello?"}
    assert labeling.texts(title) == [["Hi."]]


def test_a_list_stays_a_list_however_its_variable_is_named(pipelines: Pipelines, labeling: Labeling) -> None:
    """An item of a list is named before the list itself: Label Studio wants a list, not an empty text."""
    config = """
    <View>
      <Text name="first" value="$pages[0].text"/>
      <Repeater on="$pages"><Text name="page_{{idx}}" value="$pages[{{idx}}].text"/></Repeater>
      <Text name="t" value="$prompt"/><TextArea name="a" toName="t"/>
    </View>
    """
    title = fresh_title("Repeater")
    pipeline = pipelines(project_name=title, mode="prompt", project_config=config)
    pipeline.accept_calls([completion()])
    assert pipeline.flush(240)
    assert pipeline.dead_letters() == []
    assert labeling.tasks(title)[0]["data"]["pages"] == []


def test_several_models_in_one_project_are_warned_of_once(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """Label Studio pre-fills its stream for one model_version only: the second model's arrival is one warning."""
    pipeline = pipelines(project_name=fresh_title("Models"))
    pipeline.accept_calls([chat(request_model=model) for model in ("a", "b", "c", "a")])
    assert pipeline.flush(240)
    (warning,) = messages(caplog, logging.WARNING)
    assert "model_version" in warning


def test_a_second_model_is_noticed_after_a_restart(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """The project's own model_version tells what came before this process."""
    title = fresh_title("Models")
    for model in ("a", "b"):
        pipeline = pipelines(project_name=title)
        pipeline.accept_calls([chat(request_model=model)])
        assert pipeline.flush(240)
    assert len(messages(caplog, logging.WARNING)) == 1


def test_a_constant_model_version_settles_it(
    pipelines: Pipelines, labeling: Labeling, caplog: pytest.LogCaptureFixture
) -> None:
    """All predictions have the constant, the model's name stays in the data, and nothing is warned of."""
    title = fresh_title("Constant")
    pipeline = pipelines(project_name=title, model_version="production")
    pipeline.accept_calls([chat(request_model=model) for model in ("a", "b")])
    assert pipeline.flush(240)
    tasks = labeling.tasks(title)
    assert [task["predictions"][0]["model_version"] for task in tasks] == ["production"] * 2
    assert [task["data"]["model"] for task in tasks] == ["a", "b"]
    assert messages(caplog, logging.WARNING) == []
