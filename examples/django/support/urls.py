"""The page that asks the model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from langchain_core.language_models import FakeListChatModel

model = FakeListChatModel(responses=["Paris."])


def ask(request: HttpRequest) -> HttpResponse:
    """What the model says."""
    return HttpResponse(str(model.invoke(request.GET["question"]).content))


urlpatterns = [path("ask", ask)]
