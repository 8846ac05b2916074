"""Nothing that is logged shows a secret or a whole number."""

from sipproxy.logs import hide


def test_secrets_are_dropped_and_numbers_masked() -> None:
    event = hide(None, "info", {"event": "x", "password": "p", "ha1": "h", "number": "+493023125010", "line": "L"})
    assert event == {"event": "x", "password": "(hidden)", "ha1": "(hidden)", "number": "+493023125…", "line": "L"}
