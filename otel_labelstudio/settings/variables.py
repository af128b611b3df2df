"""The table of settings: one row each."""

from __future__ import annotations

from typing import Any

from otel_labelstudio.settings import readers
from otel_labelstudio.settings.functions import call_filter
from otel_labelstudio.settings.http_headers import headers
from otel_labelstudio.settings.variable import Variable
from otel_labelstudio.tasks.binding import Mode
from otel_labelstudio.tasks.layouts import Layout

DEFAULT_URL = "http://localhost:8080"
DEFAULT_PROJECT_NAME = "LangChain-%Y-%m-%d"


def _mode(value: Any) -> Mode:
    return readers.choice(value, Mode)


def _layout(value: Any) -> Layout:
    return readers.choice(value, Layout)


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "api_key",
        "LABEL_STUDIO_API_KEY",
        "personal access token or legacy token",
        readers.api_key,
        mend="copy your own from Label Studio, Account & Settings",
        is_secret=True,
    ),
    Variable(
        "url",
        "LABEL_STUDIO_URL",
        "where Label Studio is",
        readers.url,
        DEFAULT_URL,
        mend="give an address such as http://localhost:8080, without a login in it",
    ),
    Variable(
        "headers",
        "OTEL_EXPORTER_LABELSTUDIO_HEADERS",
        "HTTP headers for what stands in front of Label Studio: name=value,name=value with URL-encoded values, as in "
        "OTEL_EXPORTER_OTLP_HEADERS",
        headers,
        (),
        mend="give name=value,name=value with URL-encoded values, or a mapping",
        is_secret=True,
    ),
    Variable(
        "project_id",
        "LABEL_STUDIO_PROJECT_ID",
        "an existing project",
        readers.count,
        mend="give the number that stands in the project's address, /projects/NUMBER",
    ),
    Variable(
        "project_name",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME",
        "title of the project, found or created; strftime directives and {service.name} are filled in",
        readers.text,
        DEFAULT_PROJECT_NAME,
    ),
    Variable(
        "project_config",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_CONFIG",
        "labeling configuration of a new project: XML or a file's path",
        readers.label_config,
        mend="give the labeling configuration's XML, or the path of a readable file that holds it",
    ),
    Variable(
        "answer_tag",
        "OTEL_EXPORTER_LABELSTUDIO_ANSWER_TAG",
        "name of the TextArea for the answers; by default the first that can hold one",
        readers.text,
    ),
    Variable(
        "require_prediction",
        "OTEL_EXPORTER_LABELSTUDIO_REQUIRE_PREDICTION",
        "true or false: calls wait where a project has no TextArea for the answers; false for projects that only rate",
        readers.flag,
        True,
    ),
    Variable(
        "mode",
        "OTEL_EXPORTER_LABELSTUDIO_MODE",
        "prompt, chat or auto",
        _mode,
        Mode.PROMPT,
        mend="choose prompt, chat or auto",
    ),
    Variable(
        "layout",
        "OTEL_EXPORTER_LABELSTUDIO_LAYOUT",
        "page of a new project instead of the mode's own: review, compare or agent; with it, the default mode is auto",
        _layout,
        mend="choose review, compare or agent",
    ),
    Variable(
        "model_version",
        "OTEL_EXPORTER_LABELSTUDIO_MODEL_VERSION",
        "model_version of the predictions: a constant, or with {model} and {provider} filled in",
        readers.text,
        "{model}",
    ),
    Variable(
        "batch_size",
        "OTEL_EXPORTER_LABELSTUDIO_BATCH_SIZE",
        "largest number of tasks in one import",
        readers.count,
        200,
    ),
    Variable(
        "call_filter",
        "OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER",
        "function from a call to a call or None, to redact, select or sample; in the environment as module:function; "
        "off for none",
        call_filter,
        mend="give a function of one argument, where to import it (package.module:function), or off",
    ),
    Variable(
        "media_max_bytes",
        "OTEL_EXPORTER_LABELSTUDIO_MEDIA_MAX_BYTES",
        "bytes of an inline image, sound or file that stay in a call; of a larger one, type and size stay",
        readers.byte_count,
        2**20,
    ),
    Variable(
        "failed_calls",
        "OTEL_EXPORTER_LABELSTUDIO_FAILED_CALLS",
        "true or false: make tasks of calls that failed before any answer too, with the error's type and no prediction",
        readers.flag,
        False,
    ),
    Variable(
        "settle_s",
        "OTEL_EXPORTER_LABELSTUDIO_SETTLE_S",
        "seconds that a call waits for other spans and log records of the same call before it is delivered",
        readers.seconds,
        6.0,
    ),
    Variable(
        "timeout_s",
        "OTEL_EXPORTER_LABELSTUDIO_TIMEOUT_S",
        "seconds that Label Studio may take for an answer",
        readers.timeout_s,
        60.0,
    ),
    Variable(
        "import_timeout_s",
        "OTEL_EXPORTER_LABELSTUDIO_IMPORT_TIMEOUT_S",
        "seconds that Label Studio may take for an import, which it may carry out long after the connection is gone",
        readers.timeout_s,
        600.0,
    ),
    Variable(
        "resend_wait_s",
        "OTEL_EXPORTER_LABELSTUDIO_RESEND_WAIT_S",
        "seconds to wait before re-sending a call whose import timed out and was not found",
        readers.seconds,
        30.0,
        former=("doubt_wait_s", "OTEL_EXPORTER_LABELSTUDIO_DOUBT_WAIT_S"),
    ),
    Variable(
        "recheck_wait_s",
        "OTEL_EXPORTER_LABELSTUDIO_RECHECK_WAIT_S",
        "seconds after which a delivered call whose outcome was unknown is looked up again, for duplicates",
        readers.seconds,
        3600.0,
        former=("audit_wait_s", "OTEL_EXPORTER_LABELSTUDIO_AUDIT_WAIT_S"),
    ),
    Variable(
        "delete_duplicates",
        "OTEL_EXPORTER_LABELSTUDIO_DELETE_DUPLICATES",
        "true or false: delete a second task of a call that this exporter stored and that nobody has touched",
        readers.flag,
        True,
    ),
    Variable(
        "max_new_projects",
        "OTEL_EXPORTER_LABELSTUDIO_MAX_NEW_PROJECTS",
        "projects that may be created in twelve hours, unless more were in use the day before; further calls wait",
        readers.count,
        100,
    ),
    Variable(
        "outbox",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX",
        "file that keeps what is accepted until it is delivered, across restarts; in memory where none is named",
        readers.path,
    ),
    Variable(
        "outbox_max_calls",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_CALLS",
        "calls that may wait for delivery; one more is dropped and counted",
        readers.count,
        10_000,
    ),
    Variable(
        "outbox_max_bytes",
        "OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_BYTES",
        "bytes of calls that may wait for delivery",
        readers.byte_count,
        256 * 2**20,
    ),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}


def setting(name: str) -> Variable:
    """The one of this name."""
    return _BY_NAME[name]
