"""What goes wrong between this program and a Neo4j server, each in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConfigurationError,
    DriverError,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from ehr.errors import InputError, StoreError

_START = "start it (`make neo4j`), or check host and port"
_MEMORY = "allow it more (db.memory.transaction.max, dbms.memory.transaction.total.max), or try when less is running"


@contextmanager
def clear_errors(url: str, *, loading: bool = False) -> Iterator[None]:
    """Turn the driver's errors into `InputError` or `StoreError`.

    Args:
        url: address without credentials, for the message.
        loading: say that what was committed before stays and that the next load goes on there.
    """
    try:
        yield
    except (Neo4jError, DriverError, OSError) as error:
        said = explain(error, url, loading=loading)
        raise said from error


def explain(error: Exception, url: str, *, loading: bool = False) -> InputError | StoreError:
    """Give the error to raise for one of the driver's."""
    if loading and isinstance(error, (ServiceUnavailable, SessionExpired)):
        return StoreError(
            f"{url}: the server stopped answering during the load; what was loaded stays, start it and load again"
        )
    if isinstance(error, AuthError) and "AuthenticationRateLimit" not in (error.code or ""):
        if "CredentialsExpired" not in (error.code or ""):
            remedy = "set NEO4J_USERNAME and NEO4J_PASSWORD to those of the server"
            return InputError("the server does not accept user and password", where=url, remedy=remedy)
    elif isinstance(error, IncompleteCommit):
        return StoreError(f"{url}: the connection broke during a commit; run again, nothing will be doubled")
    elif isinstance(error, ServiceUnavailable):
        return InputError("the server does not answer", where=url, remedy=_START)
    elif isinstance(error, ConfigurationError):
        return InputError(f"the driver does not take this address ({error})", where=url)
    if isinstance(error, Neo4jError):
        return _of_server(error, url)
    name = error.__class__.__name__
    return InputError(f"the connection failed ({name})", where=url, remedy="check that this is a Neo4j server")


def is_memory(error: Neo4jError) -> bool:
    """Say whether a transaction wanted more memory than the server gives it."""
    return "OutOfMemory" in (error.code or "")


_KNOWN: tuple[tuple[str, str, str], ...] = (
    ("CredentialsExpired", "the server wants the first password changed", "change it, then set NEO4J_PASSWORD"),
    ("AuthenticationRateLimit", "too many wrong passwords", "wait some seconds, then try the right one"),
    ("DatabaseNotFound", "no such database", "set NEO4J_DATABASE to one that the server has"),
    ("Security.Forbidden", "the user may not do this", "take one who may write and make indexes"),
    ("ReadOnly", "the database is read-only", "see server.databases.read_only and default_to_read_only in neo4j.conf"),
    ("NotALeader", "this server does not take writes", "give the address neo4j://HOST of the cluster"),
    ("DatabaseUnavailable", "the database is stopped or not ready", "start it, then try again"),
)


def _of_server(error: Neo4jError, url: str) -> InputError | StoreError:
    code, text = error.code or "", one_line(error)
    for part, message, remedy in _KNOWN:
        if part in code:
            return InputError(message, where=url, remedy=remedy)
    if is_memory(error):
        return StoreError(f"{url}: the transaction needs more memory than the server gives it; {_MEMORY}")
    if "ConstraintValidationFailed" in code:
        return StoreError(
            f"{url}: something else writes to the database ({text}); wait until it is done, then run again"
        )
    return StoreError(f"{url}: {code}: {text}")


def one_line(error: Neo4jError) -> str:
    """Give the server's words without line ends."""
    return " ".join((error.message or "").split())


@contextmanager
def query_errors(url: str, timeout: float | None) -> Iterator[None]:
    """Tell what a query of a person did wrong in one line."""
    with clear_errors(url):
        try:
            yield
        except (ClientError, TransientError) as error:
            code = error.code or ""
            if isinstance(error, AuthError) or ".Security." in code or "ReadOnly" in code:
                raise
            if "TransactionTimedOut" in code or "Terminated" in code:
                limit = f"{timeout:g} s" if timeout is not None else "the server allows"
                raise InputError(
                    f"the query took longer than {limit}", remedy="narrow it, or allow it more time"
                ) from error
            if is_memory(error):
                raise InputError("the query needs more memory than it may have", remedy="narrow it") from error
            if "DatabaseUnavailable" in code:
                raise
            raise InputError(f"the query does not run on this store: {one_line(error)}", where=url) from error
