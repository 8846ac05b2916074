"""Bulk: tables and JSON in and out, what they would change, and whether that may be. No I/O, no store: bytes and entities.

The formats are described in docs/bulk.md. The way in is `routing.bulk.reading.read`, the way out `routing.bulk.writing.write`,
and what an import would do is told by `routing.bulk.diff.compare`.
"""
