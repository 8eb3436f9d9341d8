"""The local server's HTTP, with a bound on a request's head, which uvicorn's own parser has not."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES: Final = 65_536
"""How much may follow a head's first piece; API Gateway's bound is 10,240 bytes."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head that does not end."""

    _head_bytes: int | None = None
    """What came of the head since its first piece; None outside of a head."""

    def data_received(self, data: bytes) -> None:
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.send_400_response("The request's headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()
