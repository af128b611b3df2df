"""The Label Studio server, as far as delivery needs it.

`server.LabelStudioServer` is the client, `recheck` finds and deletes what we stored twice. Importing these is cheap:
`connection` alone needs Label Studio's SDK and httpx, and is imported with the first request.
"""
