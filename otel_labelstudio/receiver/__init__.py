"""The door for OTLP: a server that answers a request with success when it is known to be OTLP and on the disk.

=====================  =====================================================================================
``settings``           what can be set, and ``config_file``: the same and routes in one TOML file
``http``, ``grpc``     the two transports; both bring a body to the ``intake``
``http_protocol``      bounds for what is no body; ``connections`` for what is slow or idle
``requests``           from a body to spans or log records; ``inflate`` and ``expansion`` bound what it costs
``intake``             the only way in: from a body to the inbox; ``counting`` keeps slow ones from holding up others
``inbox``              what was answered and is not read yet, in ``segments`` of ``records``; a ``writer`` fills it
``reader``             from the inbox to the pipeline, in ``pieces`` where something cannot be taken in
``set_aside``          what could not be read
``status``             what the sender is told: one table for both transports
``readiness``          whether requests can be stored; ``health`` says so over gRPC
``metrics``            what the receiver counts
``auth``, ``tls``      who may send; ``browsers`` keeps web pages out
``server``             starting, serving, and stopping gracefully
=====================  =====================================================================================

Needs the extra ``otel-labelstudio[receiver]``.
"""
