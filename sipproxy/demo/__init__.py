"""The demonstration: a phone system, a caller and an outage, over real UDP on this machine.

`message` and `ua` are a small SIP user agent of their own, enough to register, call and be called; tests use them as well.
They share nothing with the engine, so that a fault in one is not hidden by the same fault in the other.
"""
