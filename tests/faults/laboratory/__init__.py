"""The fault laboratory: a small telephone network in network namespaces whose lines can really be broken.

`network.Laboratory` builds it, `impairment.Box` degrades its wires, `faults` breaks it, `kamailio.KamailioPeer` is the same job done
by a well-configured Kamailio. All need root; none touches the machine's own network.
"""
