"""The demo plays to its end and says so."""

import pytest

from sipproxy.demo.play import play


@pytest.mark.service
@pytest.mark.timeout(180)
def test_every_step_of_the_demo_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    status = play(keep=False, fast=True)
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "10 of 10 steps were right" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
