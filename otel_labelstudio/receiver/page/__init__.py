"""What an operator sees in a browser: the status page of `serve`, at ``/status``.

``page``      the requests: who may look, what is answered, and the one thing that can be done there
``snapshot``  what is shown, taken at most once a second
``html``      a snapshot as a page
``elements``  how the page is put together, so that no text from outside becomes markup

There is no script in it, and it asks for nothing from anywhere: the policy that it is sent with allows neither.
"""
