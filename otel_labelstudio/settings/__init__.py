"""The settings: one table of variables, one record, and the only place that reads the environment.

===============  =======================================================================================
``variables``    the table: a row for each setting, with its environment variable, default and meaning
``readers``      from a value as somebody wrote it to what a setting holds; ``functions`` for ``call_filter``
``environment``  the only reader of ``os.environ``
``names``        names of settings: former ones, and unknown ones with the nearest that there is
``checks``       what must hold of several settings together
``record``       `Settings`, which `Settings.resolve` makes
===============  =======================================================================================

An argument beats the environment, the environment beats the default. Everything that can be found wrong without a
server is found here, as a `ConfigError` that says how to mend it.
"""

from __future__ import annotations

from otel_labelstudio.settings.api_keys import is_personal_access_token
from otel_labelstudio.settings.environment import (
    as_in_config_file,
    certificate_authorities,
    is_named_to_the_sdk,
    prefix_of_config_file,
    read_setting,
    variables_of_others,
)
from otel_labelstudio.settings.http_headers import listed_headers
from otel_labelstudio.settings.names import refuse_unknown_names
from otel_labelstudio.settings.record import Settings
from otel_labelstudio.settings.variable import Variable
from otel_labelstudio.settings.variables import DEFAULT_PROJECT_NAME, DEFAULT_URL, VARIABLES, setting

__all__ = [
    "DEFAULT_PROJECT_NAME",
    "DEFAULT_URL",
    "VARIABLES",
    "Settings",
    "Variable",
    "as_in_config_file",
    "certificate_authorities",
    "is_named_to_the_sdk",
    "is_personal_access_token",
    "listed_headers",
    "prefix_of_config_file",
    "read_setting",
    "refuse_unknown_names",
    "setting",
    "variables_of_others",
]
