"""Text that would run, load, navigate or restyle something in a labeler's page, and calls that hold it everywhere.

What of it Label Studio 1.23.2's own sanitizer lets through when it stands in a HyperText, raw:
iframes with a video's address, forms, SVG links, ``<meta>``, and all that loads (tests/browser/test_hostile_text.py).
"""

from __future__ import annotations

from otel_labelstudio.calls import (
    BlobPart,
    FilePart,
    GenericPart,
    LLMCall,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from tests.delivery.telemetry import chat

# An address that nothing may ask for; a script says that it ran by setting window.hostile
ADDRESS = "http://127.0.0.1:9/hostile"
RUN = "top.hostile=1"
SVG = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0idG9wLmhvc3RpbGU9MSIvPg=="
)
PAGE = "data:text/html;base64,PHNjcmlwdD50b3AuaG9zdGlsZT0xPC9zY3JpcHQ+"

MARKUP = {
    "script": f"<script>{RUN}</script>",
    "handler": f"<img src=x onerror={RUN}><details ontoggle={RUN} open>x</details>",
    "svg script": f"<svg><script>{RUN}</script></svg>",
    "svg load": f"<svg onload={RUN}></svg>",
    "data svg": f'<img src="{SVG}">',
    "srcdoc": f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    "video srcdoc": f'<iframe src="https://www.youtube.com/embed/x" srcdoc="<script>{RUN}</script>"></iframe>',
    "form": f'<form action="javascript:{RUN}"><button>click</button></form>',
    "formaction": f'<form><button formaction="javascript:{RUN}">click</button></form>',
    "svg link": f'<svg><a xlink:href="javascript:{RUN}"><text y=20>click</text></a></svg>',
    "animated link": f"<svg><a><animate attributeName=href values=javascript:{RUN} /><text y=20>click</text></a></svg>",
    "link": f'<a href="javascript:{RUN}">click</a>',
    "refresh": f'<meta http-equiv="refresh" content="0;url={ADDRESS}">',
    "base": f'<base href="{ADDRESS}/">',
    "remote": f'<img src="{ADDRESS}"><video src="{ADDRESS}" poster="{ADDRESS}"></video><audio src="{ADDRESS}"></audio>',
    "objects": f'<object data="{ADDRESS}"></object><embed src="{ADDRESS}"><object data="{PAGE}"></object>',
    "object svg": f'<object type="image/svg+xml" data="{SVG}"></object>',
    "sheets": f'<link rel="stylesheet" href="{ADDRESS}"><style>@import "{ADDRESS}";</style>',
    "style": "<style>body, .lsf-main-view { display: none !important }</style>",
    "style attribute": f'<div style="position:fixed;inset:0;background:url({ADDRESS})">over</div>',
    "class": '<div class="osl-image ant-modal lsf-sidepanels" id="root">of the page</div>',
    "closing": f"</pre></div></details></td></table></textarea></style></noscript><script>{RUN}</script>",
    "comment": f"<!--><script>{RUN}</script>--><![CDATA[><img src={ADDRESS}>]]>",
    "mutation": f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror={RUN}&gt;">',
    "noscript": f'<noscript><p title="</noscript><img src=x onerror={RUN}>"></noscript>',
    "template": f"<template><img src={ADDRESS}></template><portal src={ADDRESS}></portal>",
    "quotes": f'" onmouseover="{RUN}" autofocus onfocus=\'{RUN}\' x="',
    "entities": f"&lt;script&gt;{RUN}&lt;/script&gt; &#60;img src={ADDRESS}&#62;",
    "variables": "$facts $dialogue_html {{idx}} ${7*7} {{constructor.constructor('top.hostile=1')()}}",
    "unstorable": f"\x00<scr\x00ipt>{RUN}</script>\ud800",
    "directions": "\u202e<b>txt\u2066</b>",
}
MARKDOWN = {
    "link": f"[click](javascript:{RUN}) [click](JaVaScRiPt:{RUN}) [click](java&#115;cript:{RUN})",
    "link title": f'[click]({ADDRESS} "\\" onmouseover={RUN} x=\\"")',
    "autolink": f"<{ADDRESS}> <javascript:{RUN}>",
    "image": f"![x]({ADDRESS}) ![x](javascript:{RUN}) ![x]({SVG}) ![x]({PAGE})",
    "image description": f'![" onerror="{RUN}]({ADDRESS})',
    "reference": f"[click][1] ![x][1]\n\n[1]: javascript:{RUN}\n\n[2]: {ADDRESS}",
    "html block": f"<div>\n\n**bold**\n\n<script>\n{RUN}\n</script>\n\n</div>",
    "fence": f'```"><img src={ADDRESS} onerror={RUN}>\n</code></pre><script>{RUN}</script>\n```',
    "table": f"|a|b|\n|:-:|-:|\n|<img src={ADDRESS}>|[x](javascript:{RUN})|",
    "code": f"`<img src={ADDRESS}>` and \\<script>{RUN}</script>",
    "data link": f"[click]({PAGE})",
}
PAYLOADS = {**MARKUP, **{f"markdown {name}": text for name, text in MARKDOWN.items()}}


def every_part(text: str) -> tuple[Part, ...]:
    """A part of each type with the text wherever it can hold one."""
    return (
        TextPart(text),
        ReasoningPart(text),
        ToolCallPart(text, {text: text, "inner": [{text: text}], "long": text * 4}, text),
        ToolCallPart(text, text),
        ToolCallResponsePart(text, text),
        ToolCallResponsePart({text: [text]}),
        ToolCallResponsePart(f'{{"looks like": "JSON"}} {text * 4}'),
        BlobPart("image", text, text),
        BlobPart(text, "PHN2Zy8+", "image/svg+xml"),
        UriPart("image", text, text),
        UriPart("image", f"data:image/png;base64,{text}"),
        UriPart("image", SVG),
        UriPart("document", PAGE),
        UriPart("image", ADDRESS),
        FilePart("image", text, text),
        GenericPart(text, {text: text}),
    )


def hostile_call(text: str) -> LLMCall:
    """A call that holds the text in every field that a model, a user or a tool can fill."""
    parts = every_part(text)
    roles = ("system", "user", "assistant", "tool", text)
    return chat(
        request_model=text,
        provider=text,
        service_name=text,
        system_instructions=parts,
        input_messages=tuple(Message(role, parts, name=text) for role in roles * 2),
        output_messages=(Message("assistant", parts, finish_reason=text), Message(text, (TextPart(text),))),
        tool_definitions=({"name": text, text: text}, {"function": {"name": text}}),
        conversation_id=text,
        user_id=text,
        incomplete=(text,),
    )
