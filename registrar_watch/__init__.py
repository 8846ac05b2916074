"""What the engine reports about registrations and health: named, logged and kept.

The engine names lines by slot and reports in batches; here they get their names, verdicts become log lines with their
evidence, and both are handed to the store in batches that survive its absence. Not here: judging (the engine does it) and
storing (`rules_store` does it; this package sees it through the protocols in `registrar_watch.keep`).
"""
