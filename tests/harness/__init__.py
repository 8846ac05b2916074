"""What black-box tests need: the real process on loopback, SIP over plain sockets, and SIPp.

Nothing here uses the code under test: messages are read and built by a few lines of its own, so that a fault of the product's
parser cannot hide itself.
"""
