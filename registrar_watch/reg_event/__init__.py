"""Subscriptions to the registration state that a registrar elsewhere keeps (RFC 3680 over RFC 6665).

One subscription per address-of-record, all on one UDP socket, paced. What the NOTIFYs say becomes rows for
``Engine.report_registrations``; a subscription that fails makes its registration *unknown*, never absent. Not here: judging, which
the engine does, and the other ways in which registrars tell (third-party REGISTER and Path), which the engine reads itself.

`reginfo` reads documents, `state` applies them by their versions, `dialog` writes and reads the messages of one subscription,
`transaction` repeats requests, `subscription` is the life of one, `watch` keeps those of all lines.
"""
