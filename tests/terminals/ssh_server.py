"""An sshd of the test's own: keys and configuration in one folder, on the loopback alone."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_PATIENCE_SECONDS = 30.0
_SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
IS_THERE = bool(_SSHD and shutil.which("ssh") and shutil.which("ssh-keygen"))

_ROOT = Path(__file__).parents[2]
_SENT = ("COLORTERM", "SDTUI_HOME", "SDTUI_RENDERER", "OMP_NUM_THREADS")
_CONFIGURATION = f"""\
ListenAddress 127.0.0.1
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
AcceptEnv {" ".join(_SENT)}
"""


class SshServer:
    """Runs as the user of the test, who alone may log in; leaving the context ends it.

    `options` are more lines of its configuration.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]

    def __enter__(self) -> SshServer:
        for name in ("host_key", "user_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._folder / name]
            subprocess.run(command, check=True)
        configuration = self._folder / "sshd_config"
        places = [
            f"Port {self.port}",
            f"HostKey {self._folder}/host_key",
            f"AuthorizedKeysFile {self._folder}/user_key.pub",
        ]
        configuration.write_text(_CONFIGURATION + "\n".join([*places, *self._options, ""]))
        if os.geteuid() == 0:
            # As root, Debian's sshd wants the folder in which a part of it has no rights.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        assert _SSHD is not None
        self._process = subprocess.Popen(
            [_SSHD, "-D", "-f", configuration, "-E", self._folder / "sshd.log"]
        )
        try:
            self._wait_for_an_answer()
        except AssertionError:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _wait_for_an_answer(self) -> None:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "sshd.log").read_text()
            assert time.monotonic() < end, "sshd never answered"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def interface(
        self, port: int | None = None, program: Sequence[str] = ("-m", "sdtui")
    ) -> list[str]:
        """The ssh that logs in, at `port` where something lies in between, and runs sdtui.

        `program` is what Python is told to run.
        """
        options = {
            "IdentityFile": f"{self._folder}/user_key",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": f"{self._folder}/known_hosts",
            "StrictHostKeyChecking": "accept-new",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "SendEnv": " ".join(_SENT),
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        to = ["-p", str(port or self.port), f"{getpass.getuser()}@127.0.0.1"]
        command = ["env", f"PYTHONPATH={_ROOT}", sys.executable, *program]
        return ["ssh", "-F", "none", "-tt", *words, *to, shlex.join(command)]
