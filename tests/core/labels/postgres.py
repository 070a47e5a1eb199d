"""A PostgreSQL server of the test run's own, on loopback, where the Debian package is installed."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Server:
    """A running server. `url` gives its database, emptied."""

    port: int
    password: str
    control: list[str]
    home: Path
    is_made: bool = False
    made: int = 0

    def url(self) -> str:
        """The address of a database in which nobody has labelled yet."""
        address = f"postgresql+psycopg://reader:{self.password}@127.0.0.1:{self.port}/labels"
        import psycopg

        if not self.is_made:
            with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE labels")
            self.is_made = True
        with self.connect(address) as connection:
            connection.execute("DROP SCHEMA IF EXISTS sliceloop CASCADE")
        return address

    def another(self) -> str:
        """The address of a database that nobody has seen yet, as of another reading room."""
        import psycopg

        self.made += 1
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE room{self.made}")
        return f"postgresql+psycopg://reader:{self.password}@127.0.0.1:{self.port}/room{self.made}"

    def crash(self) -> None:
        """End the server without a chance to flush anything, and start it again."""
        self.run("-m", "immediate", "stop")
        self.start()

    def start(self) -> bool:
        """Start the server; whether it runs now."""
        # pg_ctl leaves a server that is nobody's child: its helpers come and go as they like.
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c recovery_init_sync_method=syncfs"
        return self.run("-l", str(self.home / "log"), "-o", options, "start") == 0

    def run(self, *words: str) -> int:
        """pg_ctl; its exit status."""
        return subprocess.run(
            [*self.control, *words],
            cwd=self.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        ).returncode  # fmt: skip

    def connect(self, url: str):  # type: ignore[no-untyped-def]
        """A plain connection, past everything that the journal does."""
        import psycopg

        return psycopg.connect(self._dsn(url.rpartition("/")[2]), autocommit=True)

    def _dsn(self, database: str) -> str:
        return (
            f"host=127.0.0.1 port={self.port} user=reader password={self.password} "
            f"dbname={database}"
        )


def binaries() -> Path | None:
    """Where initdb and postgres lie, the newest version first."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    found = [str(path) for path in packaged] + [shutil.which("postgres") or ""]
    return next((Path(path).parent for path in found if path), None)


@contextmanager
def running() -> Iterator[Server]:
    """A server in a temporary folder; skips the test where there cannot be one."""
    pytest.importorskip("psycopg", reason="the driver psycopg is not installed")
    folder = binaries()
    if sys.platform == "win32" or folder is None:
        pytest.skip("PostgreSQL is not installed")
    account: list[str] = []
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no runuser")
        account = ["runuser", "-u", "postgres", "--"]
    password = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="sliceloop-pg-") as base:
        home = Path(base)
        if account:
            shutil.chown(home, "postgres")
        home.chmod(0o755)
        secret = home / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = home / "data"
        made = subprocess.run(
            [*account, str(folder / "initdb"), "-D", str(data), "-U", "reader", "-E", "UTF8",
             "-A", "scram-sha-256", f"--pwfile={secret}", "--locale=C", "--no-sync"],
            cwd=home, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            pytest.skip(f"initdb does not run here: {made.stderr.strip()[-200:]}")
        control = [*account, str(folder / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
        server = Server(port, password, control, home)
        try:
            if not server.start():
                pytest.skip("PostgreSQL does not start here")
            yield server
        finally:
            server.run("-m", "immediate", "stop")  # nothing of it is kept
