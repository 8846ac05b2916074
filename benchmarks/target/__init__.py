"""The real service with the real store, loaded for one job, so that any generator can be pointed at it."""
