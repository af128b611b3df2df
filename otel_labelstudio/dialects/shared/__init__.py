"""What dialects share: from a span's facts and content to a call, or to the reason why there is none.

========================  ===================================================================================
`namespaces`              which dialects a span could be of at all
`reading`                 findings to calls or a skip
`merging`                 several dialects' findings in one span as those of one call
`captured`                which of a call's content is there
`damages`                 what is missing of a call, or not understood in it, for people
`unread_content`          content that is there and that no dialect reads
`operations`              which operation a span is of, and whether that asks a model to answer
`span_facts`              what a span says of a call besides its content: model, parameters, session, user
`span_outcome`            what became of the call: usage, finish reasons, error
`capture_hints`           what is said where content is missing; the switches are the dialects' own
`event_records`           one event a message, wherever the events stand
`exchange`                a raw request and response of a provider to findings
`moved_content`           log records that hold content without an event's name
`records_without_span`    log records whose span never came, or whose ids are not its
`openinference_messages`  OpenInference's flat messages
`unknown_role`            messages whose role an instrumentation could not name
========================  ===================================================================================
"""
