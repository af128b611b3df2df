"""Label Studio's own templates: which of them take calls as they are, where the answers go, and why others do not."""

from __future__ import annotations

from typing import Any

import pytest

from otel_labelstudio.tasks.binding import binding_from_label_config
from otel_labelstudio.tasks.label_config import LabelConfigError, answer_boxes, parsed
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.delivery.telemetry import chat
from tests.tasks.test_variables import CALL, CHOICES

# Of each: the TextArea of the answers and the tag of the prompt, or why there is none
TEMPLATES = {
    "Automatic Speech Recognition using Segments": "transcription: it is for single regions (perRegion)",
    "Automatic Speech Recognition": 'transcription: it points to "audio", an <Audio>, which shows no text',
    "Conversational Analysis": "no TextArea",
    "Intent Classification": "no TextArea",
    "Signal Quality Detection": "no TextArea",
    "Sound Event Detection": "no TextArea",
    "Speaker Segmentation": "no TextArea",
    "Speech Transcription": "transcription: it is for single regions (perRegion)",
    "Fine-Tune an Agent without an LLM": "no TextArea",
    "Fine-Tune an Agent with an LLM": "comments -> Chat $chat",
    "Red-Teaming in Chat": "no TextArea",
    "Evaluate Production Conversations for RLHF": "conversation_comment -> Chat $chat",
    "Chatbot Evaluation": "no TextArea",
    "Breast Cancer Mammogram Classification": 'notes: it points to "left_cc", an <Image>, which shows no text',
    "HTML NER Tagging": "no TextArea",
    "NER Tagging for Invoices (BIO Format)": "no TextArea",
    "OCR Invoices Pre-NER BIO Format": "transcription: it is for single regions (perRegion)",
    "Two-Level Sentiment Analysis of X / Twitter posts": "no TextArea",
    "Image Captioning": 'caption: it points to "image", an <Image>, which shows no text',
    "Image Classification": "no TextArea",
    "Inventory Tracking": "no TextArea",
    "Keypoint Labeling": "no TextArea",
    "Medical Image Classification with Bounding Boxes": "no TextArea",
    "Multi-page document annotation": "no TextArea",
    "Object Detection with Bounding Boxes": "no TextArea",
    "Optical Character Recognition": "transcription: it is for single regions (perRegion)",
    "OCR Labeling for PDFs": "no TextArea",
    "Semantic Segmentation with Masks": "no TextArea",
    "Semantic Segmentation with Polygons": "no TextArea",
    "Visual Genome": "no TextArea",
    "Visual Question Answering": "answer1 -> Text $q1",
    "Coreference Resolution & Entity Linking": "no TextArea",
    "Intent Classification and Slot Filling": "no TextArea",
    "Response Generation": "response -> Paragraphs $dialogue",
    "Response Selection": "no TextArea",
    "Chatbot Model Assessment": "no TextArea",
    "Human Preference collection for RLHF": "no TextArea",
    "LLM Ranker": "no TextArea",
    "LLM Response Grading": "no TextArea",
    "Supervised Language Model Fine-tuning": "instruction -> Text $prompt",
    "Visual Ranker": "no TextArea",
    "Content Moderation": "comments -> Text $text",
    "Machine Translation": "spanish -> Text $english",
    "Named Entity Recognition": "no TextArea",
    "Question Answering": "no TextArea",
    "Relation Extraction": "no TextArea",
    "Taxonomy": "no TextArea",
    "Text Classification": "no TextArea",
    "Text Summarization": "answer -> Text $text",
    "ASR Hypotheses Selection": "no TextArea",
    "Content-based Image Retrieval": "no TextArea",
    "Document Retrieval": "no TextArea",
    "Pairwise classification": "no TextArea",
    "Pairwise regression": "no TextArea",
    "Search Page Ranking": "no TextArea",
    "Text-to-Image Generation": "no TextArea",
    "Freeform Metadata": "table_name_1 -> Text $text",
    "HTML Entity Recognition": "no TextArea",
    "PDF Classification": "no TextArea",
    "Tabular Data": "no TextArea",
    "Activity Recognition": "no TextArea",
    "Change Point Detection": "no TextArea",
    "Outliers & Anomaly Detection": "no TextArea",
    "Signal Quality": "no TextArea",
    "Time Series Forecasting": "no TextArea",
    "Video Classification": "no TextArea",
    "Video Frame Classification": "no TextArea",
    "Video Object Tracking": "no TextArea",
    "Video Timeline Segmentation": "no TextArea",
}


def what_happens(label_config: str) -> str:
    """As in the table above."""
    try:
        binding = binding_from_label_config(label_config)
    except LabelConfigError:
        boxes = answer_boxes(parsed(label_config))
        return f"{boxes[0].name}: {boxes[0].obstacle}" if boxes else "no TextArea"
    return f"{binding.from_name} -> {binding.object_tag} ${binding.data_key}"


@pytest.fixture
def templates(labeling: Labeling) -> dict[str, Any]:
    """Label configurations by the title in the gallery."""
    listed = labeling.request("GET", "/api/templates")["templates"]
    return {template["title"]: template["config"] for template in listed}


def test_every_template_is_known(templates: dict[str, Any]) -> None:
    """The table has all of the gallery, and says of each what happens."""
    assert {title: what_happens(config) for title, config in templates.items()} == TEMPLATES


@pytest.mark.parametrize("title", [title for title, what in TEMPLATES.items() if "->" in what])
def test_those_that_take_calls_get_them(
    title: str, templates: dict[str, Any], pipelines: Pipelines, labeling: Labeling
) -> None:
    """A project of the template takes a call as it is: the server finds every variable, of a type that it takes."""
    project_id = labeling.make_project(fresh_title("Template"), templates[title])
    pipeline = pipelines(project_id=project_id, mode="auto")
    pipeline.accept_calls([chat("What is it?", "An answer.")])
    assert pipeline.flush(240)
    assert labeling.texts(project_id) == [["An answer."]]


ASKED, ANSWERED = "Which?", ["First.", "<b>Second</b>"]
# What stands in the data of those of the gallery's "Generative AI" that only rate, rank or choose
WITHOUT_TEXT_AREA: dict[str, dict[str, Any]] = {
    "LLM Ranker": {"prompt": ASKED, "task": "", "items": CHOICES},
    "Visual Ranker": {"prompt": ASKED, "images": CHOICES},
    "Human Preference collection for RLHF": {"prompt": ASKED, "answer1": ANSWERED[0], "answer2": ANSWERED[1]},
    "LLM Response Grading": {"document": ASKED, "summary": ANSWERED[0]},
    "Chatbot Model Assessment": {
        "messages": [
            {"role": "user", "content": ASKED},
            *({"role": "assistant", "content": answer} for answer in ANSWERED),
        ]
    },
}


@pytest.mark.parametrize("title", WITHOUT_TEXT_AREA)
def test_those_that_only_rate_get_tasks_without_a_prediction(
    title: str, templates: dict[str, Any], pipelines: Pipelines, labeling: Labeling
) -> None:
    """If the user says so: the answers stand where they are compared, or below what was asked."""
    project_id = labeling.make_project(fresh_title("Rated"), templates[title])
    pipeline = pipelines(project_id=project_id, mode="auto", require_prediction=False)
    pipeline.accept_calls([CALL])
    assert pipeline.flush(240)
    (task,) = labeling.tasks(project_id)
    expected = WITHOUT_TEXT_AREA[title]
    assert {name: task["data"][name] for name in expected} == expected
    assert task["predictions"] == []
    assert pipeline.progress().paused == ()


def test_a_text_area_that_comes_later_gets_the_answers(pipelines: Pipelines, labeling: Labeling) -> None:
    """Somebody adds one while calls arrive: from then on tasks have predictions."""
    config = '<View><Text name="t" value="$prompt"/><Rating name="r" toName="t"/>{}</View>'
    project_id = labeling.make_project(fresh_title("Rated"), config.format(""))
    pipeline = pipelines(project_id=project_id, mode="auto", require_prediction=False)
    pipeline.accept_calls([chat(answer="before")])
    assert pipeline.close(240)  # with the look at the project behind the delivery
    labeling.change_project(project_id, label_config=config.format('<TextArea name="a" toName="t"/>'))
    later = pipelines(project_id=project_id, mode="auto", require_prediction=False)
    later.accept_calls([chat(answer="after")])
    assert later.flush(240)
    assert [len(task["predictions"]) for task in labeling.tasks(project_id)] == [0, 1]
