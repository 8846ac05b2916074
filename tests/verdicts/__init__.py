"""The real verdicts of the real engine on a virtual clock: models of what may be expected, and hours of lossy lines."""
