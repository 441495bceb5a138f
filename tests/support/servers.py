"""Real etcd servers on loopback: one, or a cluster, on a data dir of the test's choosing."""

from __future__ import annotations

import http.client
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from support import processes, programs
from support.ports import Port, listens

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

START_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 60
PORT_TRIES = 5
_IN_USE = "address already in use"


class ServerError(AssertionError):
    """A server that did not start, or went away; the message ends with its log."""


class Server:
    """One etcd: ``with Server("3.6", data_dir) as server: server.etcdctl("get", "/a")``.

    `flags` come after our own, so that they win. `initial_cluster` "" means this member alone, None leaves the flag
    away (discovery). Ports stay the same over `stop` and `start`. `peer_port` is a port that the test has reserved.
    """

    def __init__(
        self,
        version: str,
        data_dir: Path,
        *flags: str,
        name: str = "default",
        initial_cluster: str | None = "",
        start_seconds_max: float = START_SECONDS_MAX,
        peer_port: Port | None = None,
    ) -> None:
        self.version = version
        self.data_dir = Path(data_dir)
        self.flags = flags
        self.name = name
        self.initial_cluster = initial_cluster
        self.start_seconds_max = start_seconds_max
        self._log_file = tempfile.NamedTemporaryFile(prefix=f"etcd-{version}-", suffix=".log")  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None
        self._take_ports(peer_port)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client_url(self) -> str:
        return f"http://127.0.0.1:{self._client_port.number}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self._peer_port.number}"

    @property
    def log(self) -> str:
        """What the server wrote so far, over all its starts."""
        return Path(self._log_file.name).read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def argv(self) -> list[str]:
        """The command that starts it."""
        own = [
            str(programs.program("etcd", self.version)),
            f"--name={self.name}",
            f"--data-dir={self.data_dir}",
            f"--listen-client-urls={self.client_url}",
            f"--advertise-client-urls={self.client_url}",
            f"--listen-peer-urls={self.peer_url}",
            f"--initial-advertise-peer-urls={self.peer_url}",
        ]
        if self.initial_cluster is not None:
            own.append(f"--initial-cluster={self.initial_cluster or f'{self.name}={self.peer_url}'}")
        return [*own, *self.flags]

    def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it answers a linearizable read.

        Raises:
            ServerError: it ended or does not answer in time.
        """
        assert self._process is None, "the server is running"
        for left in reversed(range(PORT_TRIES)):
            self._process = processes.spawn(self.argv, self._log_file.file)
            if not wait:
                return
            try:
                self.wait_ready()
            except ServerError:
                # listening comes before the data dir is touched, so another try starts from the same data
                if not (left and self.initial_cluster == "" and self._process.poll() and _IN_USE in self.log):
                    self.kill()
                    raise
                self.kill()
                self._release_ports()
                self._take_ports()
            else:
                return

    def wait_ready(self) -> None:
        """Poll /health and a linearizable read until the read is answered (a demand to log in is an answer)."""
        deadline = time.monotonic() + self.start_seconds_max
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise ServerError(f"etcd {self.version} ended while it was started\n{self.log[-6000:]}")
            if listens(self._process.pid, self._client_port.number) and self._answers():
                return
            time.sleep(0.05)
        raise ServerError(f"etcd {self.version} does not answer after {self.start_seconds_max} s\n{self.log[-6000:]}")

    def health(self) -> dict[str, Any]:
        """Give the answer of /health; {} when there is none."""
        try:
            return dict(json.loads(self.http("GET", "/health")[2]))
        except (OSError, http.client.HTTPException, ValueError):
            return {}

    def stop(self) -> int:
        """Stop it as an operator would (SIGTERM); gives the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it (SIGKILL): what was not synced is lost."""
        return self._end(signal.SIGKILL)

    def close(self) -> None:
        """Stop it and give back its ports and log."""
        self.stop()
        self._release_ports()
        self._log_file.close()

    def etcdctl(
        self, *args: str | Path, api: str = "3", check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the etcdctl of this server's version against it; api "2" is there in 3.4 and 3.5."""
        # 3.6 and 3.7 know version 3 only and warn about the variable
        env = {"ETCDCTL_API": api} if self.version in {"3.4", "3.5"} else {}
        etcdctl = programs.program("etcdctl", self.version)
        flags = [f"--endpoints={self.client_url}"]
        if api == "3":  # by default 2 s to log in and 5 s for all, which a busy machine may need longer for
            flags += [f"--dial-timeout={COMMAND_SECONDS_MAX}s", f"--command-timeout={COMMAND_SECONDS_MAX}s"]
        return processes.run(etcdctl, *flags, *args, env=env, check=check, stdin=stdin)

    def add_member(self, name: str, peer_url: str, *args: str) -> None:
        """Add a member; asks again where the cluster is too young for it, or the request went to a leader that left."""
        deadline = time.monotonic() + COMMAND_SECONDS_MAX
        words = ("member", "add", name, f"--peer-urls={peer_url}", "--command-timeout=5s", *args)
        while (done := self.etcdctl(*words, check=False)).returncode:
            if "Peer URLs already exists" in done.stderr:  # it came through after all
                return
            passing = ("unhealthy cluster", "deadline exceeded", "timed out")
            if time.monotonic() > deadline or not any(reason in done.stderr for reason in passing):
                raise processes.ProgramError(done)
            time.sleep(0.3)

    def etcdctl_json(self, *args: str | Path) -> Any:
        """Run etcdctl with -w json and give what it printed."""
        return json.loads(self.etcdctl(*args, "-w", "json").stdout)

    def v2(
        self,
        method: str,
        key: str | bytes,
        params: Mapping[str, str | bytes] | None = None,
        form: Mapping[str, str | bytes] | None = None,
    ) -> tuple[int, dict[str, str], Any]:
        """Ask the v2 API (needs --enable-v2=true): status, headers, parsed body (None when it is no JSON).

        `key` is the v2 key, "/a/b"; `params` go into the URL, `form` into the body.
        """
        query = f"?{urlencode(params)}" if params else ""
        body = urlencode(form) if form is not None else None
        status, headers, data = self.http(
            method, f"/v2/keys{quote(key)}{query}", body, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        try:
            return status, headers, json.loads(data)
        except ValueError:
            return status, headers, None

    def http(
        self, method: str, path: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Ask the client port: status, headers (names in lower case), body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._client_port.number, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            if not self.health():
                return False
            status, _, body = self.http("POST", "/v3/kv/range", json.dumps({"key": "AA=="}))
        except (OSError, http.client.HTTPException):
            return False
        return status == http.client.OK or b"user name is empty" in body

    def _end(self, signal_number: int) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        return processes.end(process, signal_number)

    def _take_ports(self, peer_port: Port | None = None) -> None:
        self._client_port, self._peer_port = Port(), peer_port or Port()

    def _release_ports(self) -> None:
        self._client_port.release()
        self._peer_port.release()


class Cluster:
    """Members that know each other, each in `base_dir`/<name>: ``with Cluster("3.6", tmp_path, 3) as cluster``."""

    def __init__(self, version: str, base_dir: Path, members: int | Sequence[str], *flags: str) -> None:
        names = [f"m{number}" for number in range(1, members + 1)] if isinstance(members, int) else list(members)
        self.members = [Server(version, Path(base_dir) / name, *flags, name=name) for name in names]
        everyone = ",".join(f"{member.name}={member.peer_url}" for member in self.members)
        for member in self.members:
            member.initial_cluster = everyone

    def __enter__(self) -> Self:
        try:
            for member in self.members:
                member.start(wait=False)
            for member in self.members:
                member.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client_urls(self) -> str:
        """Every member's client URL, as --endpoints takes them."""
        return ",".join(member.client_url for member in self.members)

    def kill(self) -> None:
        """Kill every member at once."""
        for member in self.members:
            member.kill()

    def close(self) -> None:
        """Stop every member."""
        for member in self.members:
            member.close()


def restore(
    version: str, snapshot: Path, data_dir: Path, **flags: str | bool | Path
) -> subprocess.CompletedProcess[str]:
    """Restore with the real tool (etcdutl; etcdctl of 3.4): ``restore("3.6", db, dir, skip_hash_check=True)``.

    Raises:
        ProgramError: it refused.
    """
    words = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in flags.items()
        if value is not False
    ]
    name, env = ("etcdctl", {"ETCDCTL_API": "3"}) if version == "3.4" else ("etcdutl", {})
    tool = programs.program(name, version)
    return processes.run(tool, "snapshot", "restore", snapshot, f"--data-dir={data_dir}", *words, env=env, check=True)
