"""The ASGI application: the API under /v1, hosted pages, and the control interface under /_sim."""
