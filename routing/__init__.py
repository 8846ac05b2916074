"""The domain: numbers, orders, lines and diversions; what is allowed, which rule applies, and what the engine is told.

No I/O, no clock, no randomness: ``now`` is an argument. Not here: storage (`rules_store`), and the matching and deciding of
calls, which exist once, in the engine.
"""
