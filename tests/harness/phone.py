"""A phone system of a few lines: registers with digest, answers OPTIONS and calls, and can die without a word."""

import contextlib
import queue
import threading
import time
from types import TracebackType
from typing import Self

from tests.harness import digest
from tests.harness.sip import Address, Endpoint, Message, final, host_port, response, token, uri

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
_POLL_S = 0.05
_ANSWER_S = 5.0


class Phone:
    """Lives in a thread of its own from `start` to `close`; tests read ``log`` and set ``silent``."""

    def __init__(
        self,
        *,
        proxy: Address,
        user: str = "",
        password: str = "",
        domain: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        algorithm: str = "SHA-256",
    ) -> None:
        self.endpoint = Endpoint(host, port)
        self.proxy = proxy
        self.user, self.password, self.algorithm = user, password, algorithm
        self.domain = domain or host_port(proxy)
        self.silent = False
        """True: packets arrive and are lost, as on a dead data line."""
        self.ignores: set[str] = set()
        """Methods that it does not know: such requests are taken and not answered."""
        self.rings = True
        """False: no 180 before the final answer."""
        self.answer_after_s = 0.0
        """Seconds of ringing."""
        self.final_status = (200, "OK")
        self.options_status = (200, "OK")
        """What OPTIONS is answered."""
        self.log: list[Message] = []
        """Requests that came in."""
        self.challenge = ""
        self._call_id = f"{token()}@{host}"
        self._cseq = 0
        self._tag = token()
        self._ringing: dict[str, tuple[Message, float]] = {}
        self._responses: queue.Queue[Message] = queue.Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name=f"phone {user or port}", daemon=True)

    # ---- registration ----------------------------------------------------------------------------------------------------

    def register(self, expires_s: int = 600, *, contact: str = "", password: str | None = None) -> Message:
        """Register and return the last answer, whatever it is; a challenge is answered once."""
        answered = self._register(expires_s, contact, authorization="")
        if answered.status == 401:
            challenges = answered.all("www-authenticate")
            self.challenge = next((c for c in challenges if digest.algorithm(c) == self.algorithm), challenges[0])
            answered = self._register(expires_s, contact, authorization=self._authorize(password))
        return answered

    def register_ok(self, expires_s: int = 600) -> Message:
        """Register, and insist on 200."""
        answered = self.register(expires_s)
        assert answered.status == 200, f"REGISTER was answered:\n{answered}"
        return answered

    def _authorize(self, password: str | None) -> str:
        return digest.answer(
            self.challenge,
            method="REGISTER",
            uri=f"sip:{self.domain}",
            username=self.user,
            password=self.password if password is None else password,
        )

    def _register(self, expires_s: int, contact: str, authorization: str) -> Message:
        self._cseq += 1
        aor = f"<sip:{self.user}@{self.domain}>"
        extra = [
            ("Contact", contact or f"<sip:{self.user}@{self.endpoint.sent_by}>"),
            ("Expires", str(expires_s)),
            ("User-Agent", "test-phone"),
        ]
        if authorization:
            extra.append(("Authorization", authorization))
        request = self.endpoint.request(
            "REGISTER",
            f"sip:{self.domain}",
            *extra,
            to=aor,
            cseq=self._cseq,
            call_id=self._call_id,
            from_=f"{aor};tag={self._tag}",
        )
        self.endpoint.send(request, self.proxy)
        what = f"answer to REGISTER of {self.user}"
        return self._wait_for(request, what) if self._thread.is_alive() else self.endpoint.expect(final(request), what=what)

    def _wait_for(self, request: Message, what: str) -> Message:
        """Return the final answer, which the thread receives."""
        wanted, deadline = final(request), time.monotonic() + _ANSWER_S
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                message = self._responses.get(timeout=left)
                if wanted(message):
                    return message
        raise AssertionError(f"{what}: not received within {_ANSWER_S} s")

    # ---- life --------------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Answer requests from now on."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop answering and close the socket."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.endpoint.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def count(self, method: str) -> int:
        """How many requests of ``method`` arrived."""
        return sum(message.method == method for message in list(self.log))

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError):
                message = self.endpoint.receive(_POLL_S)
                if message and message.method and not self.silent:
                    self.log.append(message)
                    if message.method not in self.ignores:
                        self._handle(message)
                elif message and message.status and not self.silent:
                    self._responses.put(message)
                self._answer_ringing()

    def _handle(self, request: Message) -> None:
        if request.method == "INVITE":
            if self.rings:
                self._send(response(request, 180, "Ringing", ("Contact", self._contact()), tag=self._tag), request)
            self._ringing[request.branch] = (request, time.monotonic() + self.answer_after_s)
        elif request.method == "CANCEL":
            self._send(response(request, 200, "OK", tag=self._tag), request)
            ringing = self._ringing.pop(request.branch, None)
            if ringing:
                self._send(response(ringing[0], 487, "Request Terminated", tag=self._tag), request)
        elif request.method != "ACK":
            status, reason = self.options_status if request.method == "OPTIONS" else (200, "OK")
            self._send(response(request, status, reason, tag=self._tag), request)

    def _answer_ringing(self) -> None:
        now = time.monotonic()
        for branch, (request, due) in list(self._ringing.items()):
            if now >= due:
                del self._ringing[branch]
                status, reason = self.final_status
                extra = [("Contact", self._contact()), ("Content-Type", "application/sdp")] if status == 200 else []
                self._send(response(request, status, reason, *extra, tag=self._tag, body=SDP if status == 200 else b""), request)

    def _contact(self) -> str:
        return f"<sip:{self.user or 'gateway'}@{self.endpoint.sent_by}>"

    def _send(self, message: Message, request: Message) -> None:
        self.endpoint.send(message, request.source)


def contact_of(message: Message) -> str:
    """Return the URI of the first Contact."""
    return uri(message.first("contact"))
