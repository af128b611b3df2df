"""The Label Studio server of the settings."""

from __future__ import annotations

from otel_labelstudio.delivery.label_studio.access import Access
from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.settings import Settings, certificate_authorities


def server_of(settings: Settings) -> LabelStudioServer:
    """Opens no connection."""
    return LabelStudioServer(
        settings.url,
        settings.api_key,
        settings.timeout_s,
        settings.import_timeout_s,
        Access(settings.headers, certificate_authorities()),
    )
