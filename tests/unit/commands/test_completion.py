"""Completion scripts, checked by the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mlwatch.arguments import COMMANDS
from mlwatch.cli import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_commands_and_options(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["--print-completion", shell]) == 0
    script = capsys.readouterr().out
    for word in (*COMMANDS, "baseline", "vacuum", "junit"):
        assert word in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_a_command_and_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    for words, expected in ((["mlwatch", "rep"], ["report"]), (["mlwatch", "store", "va"], ["vacuum"])):
        ask = (
            f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{' '.join(words)}'\n"
            f"_shtab_mlwatch mlwatch {words[-1]} {words[-2]}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        result = subprocess.run(
            ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True
        )
        assert result.stdout.split() == expected


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--print-completion", "cmd"]) == 2
    assert "invalid choice: 'cmd'" in capsys.readouterr().err
