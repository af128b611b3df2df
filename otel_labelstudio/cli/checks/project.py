"""The project, its labeling configuration, and which calls fit it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from otel_labelstudio.cli.checks.finding import Finding, fail, note, ok
from otel_labelstudio.delivery.label_studio.records import Project
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.routing import rules_of
from otel_labelstudio.settings import Settings
from otel_labelstudio.tasks.binding import Binding, Mode
from otel_labelstudio.tasks.label_config import is_same_label_config
from otel_labelstudio.tasks.label_config_warnings import label_config_warnings
from otel_labelstudio.titles import attributes_of_title


def project_findings(settings: Settings, server: LabelStudioServer) -> Iterator[Finding]:
    """Of the project that calls would go to now; raises `DeliveryError`."""
    project: Project | None
    rules = rules_of(settings)
    asked = attributes_of_title(settings.project_name)
    title = settings.project_title(attributes={name: f"{{{name}}}" for name in asked})
    if asked and settings.project_id is None:
        project = None
    elif settings.project_id is not None:
        project = server.project(settings.project_id)
    else:
        ids = server.project_ids(title)
        if len(ids) > 1:
            yield note(f'projects {ids} are all called "{title}"; the lowest id is used')
        project = server.project(ids[0]) if ids else None
    if project is None:
        config = rules.label_config
        made = "is found or made" if asked else "does not exist and will be made"
        yield ok(f'project: "{title}" {made} with the first call that fits it')
    else:
        config = project.label_config
        yield ok(f'project: "{project.title}", {server.url}/projects/{project.id}')
        chosen = rules.chosen_config
        if chosen and not is_same_label_config(chosen, config):
            another = f"the project has another labeling configuration than {rules.choice}"
            yield note(f"{another}; its own is used")
        if project.model_version not in ("", settings.model_version) and "{" not in settings.model_version:
            yield note(
                f'the labeling stream pre-fills answers with model_version "{project.model_version}" only; yours will '
                f'have "{settings.model_version}" (project Settings > Predictions)',
            )
    binding = rules.binding(config)
    for warning in label_config_warnings(config, binding, rules.answer_tag):
        yield note(warning)
    refuse = partial(rules.refusal, binding, project=project.title if project else title, is_made=project is not None)
    yield from _binding_findings(binding, rules.mode, refuse(is_chat=True), refuse(is_chat=False))


def _binding_findings(
    binding: Binding, mode: Mode, why_no_chats: str | None, why_no_completions: str | None
) -> Iterator[Finding]:
    answers = f'the answers to the TextArea "{binding.from_name}"' if binding.from_name else "there are no predictions"
    yield ok(f"labeling configuration: the prompt goes to ${binding.data_key} (<{binding.object_tag}>), {answers}")
    if why_no_chats and why_no_completions:
        yield fail(why_no_chats)
    elif why_no_chats:
        yield note(f"chat calls will be refused. {why_no_chats}")
    elif why_no_completions:
        yield note(f"completion calls will be refused. {why_no_completions}")
    else:
        yield ok(f"mode {mode.value}: chats and completions fit")
