"""The evaluation by human feedback: figures of judged calls, and how they are shown. Needs the extra ``report``.

`build` counts, `summary`, `comparing` and `agreement` make figures of the counts, `page`, `as_json` and `as_text` show
them.
"""
