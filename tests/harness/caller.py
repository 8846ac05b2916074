"""The carrier's core as a test plays it: sends INVITEs to the proxy and follows them to the end."""

from dataclasses import dataclass, field
from typing import Self

from tests.harness.phone import SDP
from tests.harness.sip import Address, Endpoint, Message, answers, final, host_port, token, uri


@dataclass
class Call:
    """One call with everything that was sent and received for it."""

    invite: Message
    responses: list[Message] = field(default_factory=list)

    @property
    def final(self) -> Message:
        """The final response."""
        return self.responses[-1]

    @property
    def statuses(self) -> list[int]:
        """Status codes in order."""
        return [message.status for message in self.responses]


class Caller:
    """A socket of a core peer."""

    def __init__(self, proxy: Address, host: str = "127.0.0.1", port: int = 0) -> None:
        self.endpoint = Endpoint(host, port)
        self.proxy = proxy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.endpoint.close()

    def close(self) -> None:
        """Close the socket."""
        self.endpoint.close()

    def invite(self, number: str, *extra: tuple[str, str], via: str = "") -> Message:
        """Build an INVITE with SDP to a number."""
        request = self.endpoint.request(
            "INVITE",
            f"sip:{number}@{host_port(self.proxy)};user=phone",
            ("Contact", f"<sip:caller@{self.endpoint.sent_by}>"),
            ("Content-Type", "application/sdp"),
            *extra,
            via=via,
        )
        request.body = SDP
        return request

    def dial(self, number: str, *extra: tuple[str, str], timeout_s: float = 10.0) -> Call:
        """Call a number up to its final response; a refusal or redirection is ACKed (RFC 3261 §17.1.1.3)."""
        call = Call(self.invite(number, *extra))
        self.endpoint.send(call.invite, self.proxy)
        return self.finish(call, timeout_s=timeout_s)

    def finish(self, call: Call, *, timeout_s: float = 10.0) -> Call:
        """Wait for the final response of a call that was sent."""
        while not call.responses or call.final.status < 200:
            call.responses.append(
                self.endpoint.expect(answers(call.invite), what=f"final response to {call.invite.start}", timeout_s=timeout_s)
            )
        if call.final.status >= 300:
            self.endpoint.send(self.ack(call), self.proxy)
        return call

    def ack(self, call: Call) -> Message:
        """Return the ACK: of the transaction for 3xx-6xx, a request of its own in the dialog for 2xx (RFC 3261 §13.2.2.4)."""
        if call.final.status < 300:
            return self.in_dialog(call, "ACK", cseq=1)
        request = call.invite
        headers = [(name, value) for name, value in request.headers if name in {"Via", "Max-Forwards", "From", "Call-ID"}]
        return Message(request.start.replace("INVITE", "ACK", 1), [*headers, ("To", call.final.one("to")), ("CSeq", "1 ACK")])

    def cancel(self, call: Call) -> Message:
        """Return the CANCEL of an INVITE (RFC 3261 §9.1)."""
        keep = {"Via", "Max-Forwards", "From", "To", "Call-ID"}
        headers = [(name, value) for name, value in call.invite.headers if name in keep]
        return Message(call.invite.start.replace("INVITE", "CANCEL", 1), [*headers, ("CSeq", "1 CANCEL")])

    def in_dialog(self, call: Call, method: str, cseq: int) -> Message:
        """Return a request in the dialog of an answered call, along the recorded route (RFC 3261 §12.2.1.1)."""
        answered = call.final
        request = self.endpoint.request(
            method,
            uri(answered.one("contact")),
            *(("Route", value) for value in reversed(answered.all("record-route"))),
            to=answered.one("to"),
            cseq=cseq,
            from_=call.invite.one("from"),
            call_id=call.invite.call_id,
        )
        request.headers.append(("Contact", call.invite.one("contact")))
        return request

    def next_hop(self, call: Call) -> Address:
        """Return where requests of the dialog go: the first recorded route, else the remote target (RFC 3261 §8.1.2)."""
        routes = call.final.all("record-route")
        place = (
            (uri(routes[-1]) if routes else uri(call.final.one("contact")))
            .partition(";")[0]
            .removeprefix("sip:")
            .rpartition("@")[2]
        )
        host, _, port = place.rpartition(":")
        return (host.strip("[]"), int(port)) if port.isdigit() else (place.strip("[]"), 5060)

    def hang_up(self, call: Call) -> Message:
        """Acknowledge and end an answered call; return the answer to the BYE."""
        to = self.next_hop(call)
        self.endpoint.send(self.ack(call), to)
        bye = self.in_dialog(call, "BYE", cseq=2)
        self.endpoint.send(bye, to)
        return self.endpoint.expect(final(bye), what="answer to BYE")

    def whole_call(self, number: str) -> Call:
        """Call, answer, acknowledge, hang up; anything but success is an error."""
        call = self.dial(number)
        assert call.final.status == 200, f"the call to {number} ended with\n{call.final}"
        assert self.hang_up(call).status == 200
        return call


def ping(endpoint: Endpoint, proxy: Address, timeout_s: float = 5.0) -> Message:
    """Ask the proxy itself for OPTIONS and return the answer."""
    request = endpoint.request("OPTIONS", f"sip:{host_port(proxy)}", call_id=f"ping-{token()}")
    endpoint.send(request, proxy)
    return endpoint.expect(final(request), what="answer to OPTIONS", timeout_s=timeout_s)


def targets(message: Message) -> list[str]:
    """Return the Contact URIs of a 302 in order."""
    return [uri(value) for value in message.all("contact")]


__all__ = ["Call", "Caller", "ping", "targets"]
