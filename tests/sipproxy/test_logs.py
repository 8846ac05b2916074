"""Nothing that is logged shows a secret or a whole number."""

from typing import Literal

import pytest
import structlog

from sipproxy.logs import hide, set_up


def test_secrets_are_dropped_and_numbers_masked() -> None:
    event = hide(None, "info", {"event": "x", "password": "p", "ha1": "h", "number": "+493023125010", "line": "L"})
    assert event == {"event": "x", "password": "(hidden)", "ha1": "(hidden)", "number": "+493023125…", "line": "L"}


@pytest.mark.parametrize("form", ["json", "console"])
def test_traceback_shows_no_local_variables(form: Literal["json", "console"], capsys: pytest.CaptureFixture[str]) -> None:
    set_up(form, "info")
    try:
        fail_with("trunk-" + "password")
    except ValueError:
        structlog.get_logger().exception("failed")
    finally:
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert "fail_with" in written
    assert "trunk-password" not in written


def fail_with(secret: str) -> None:
    """Fail with a secret in a local variable."""
    raise ValueError(len(secret))
