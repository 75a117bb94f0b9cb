"""A terminal that has taken another's place, or has been the shell's, has none of its pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from textual import events

from sdtui.tui.terminal_answers import TerminalAnswered, TerminalAnswers
from sdtui.tui.widgets import preview
from tests.tui.lives.interfaces import GENERATE, SUSPEND, WITH_A_FAKE_ENGINE
from tests.tui.lives.test_ends import shell
from tests.tui.stage import opened


@pytest.mark.parametrize(("session", "times"), [("/tmp/tmux-0/default,1,0", 1), ("", 0)])
async def test_tmux_may_have_been_attached_to_another_terminal_when_it_says_it_is_in_front(
    monkeypatch: pytest.MonkeyPatch, session: str, times: int
) -> None:
    monkeypatch.setenv("TMUX", session)
    async with opened() as stage:
        heard: list[object] = []
        stage.app.app_resume_signal.subscribe(stage.main, heard.append)
        stage.app.post_message(events.AppFocus())
        await stage.pilot.pause()
        await stage.until(lambda: "tmux" not in {worker.group for worker in stage.app.workers})
        assert len(heard) == times


async def test_pictures_are_sent_again_as_the_terminal_shows_them_that_tmux_is_attached_to_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    outer = ["kitty(0.35.2)"]
    monkeypatch.setattr(preview, "outer_terminal", lambda: outer[-1])
    async with opened() as stage:
        shown = stage.main.run_view.preview
        answers = TerminalAnswers(kitty=True, name="tmux 3.5a", cell=(8, 16), is_complete=True)
        stage.app.post_message(TerminalAnswered(answers))
        await stage.until(lambda: shown.renderer_name == "kitty")
        sent_as: list[str] = []
        stage.app.app_resume_signal.subscribe(
            stage.main, lambda _: sent_as.append(shown.renderer_name)
        )
        for name in ("XTerm(379)", "kitty(0.35.2)"):
            outer.append(name)
            stage.app.post_message(events.AppFocus())
            await stage.until(lambda: len(sent_as) == len(outer) - 1)
        assert sent_as == ["half", "kitty"]


def test_a_picture_is_sent_again_when_the_shell_gives_the_terminal_back(tmp_path: Path) -> None:
    program = tmp_path / "interface.py"
    program.write_text(WITH_A_FAKE_ENGINE)

    def pictures() -> int:
        return terminal.output.count(b"\x1b_Ga=T,U=1")

    with shell() as terminal:
        terminal.wait_for("$")
        terminal.send(f"clear; SDTUI_RENDERER=kitty {sys.executable} {program}\r")
        terminal.wait_for("ready")
        terminal.send(GENERATE)
        terminal.wait_for(lambda text: "x0 at step 12" in text and pictures() > 0)
        terminal.send(SUSPEND)
        terminal.wait_for("Stopped")
        before = pictures()
        terminal.send("fg\r")
        terminal.wait_for(lambda _: pictures() > before)
