"""A teacher behind any endpoint that speaks the OpenAI chat protocol (vLLM, llama.cpp, Ollama, OpenAI itself).

Protocol: ``POST {base_url}/chat/completions``, https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.parse import urlsplit

from ehr.errors import ClinRaGenError, InputError

_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LARGEST_ANSWER = 4_000_000
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to ask.

    Attributes:
        base_url: up to and without ``/chat/completions``, such as ``http://127.0.0.1:8000/v1``.
        model: the model's name there.
        key: bearer token; None for servers that want none.
        timeout: seconds to wait for one answer.
        attempts: how often one question is put before the job gives up.
        wait: seconds before the second attempt; doubled each time, at most a minute.
        max_tokens: longest answer.
    """

    base_url: str
    model: str
    key: str | None = None
    timeout: float = 120.0
    attempts: int = 5
    wait: float = 1.0
    max_tokens: int = 1024

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                "no HTTP address", where=_shown(self.base_url), remedy="give one such as http://127.0.0.1:8000/v1"
            )

    @property
    def is_local(self) -> bool:
        """True where the address is this machine's loopback."""
        host = urlsplit(self.base_url).hostname or ""
        if host.casefold() == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def endpoint_from_environment(base_url: str | None, model: str | None) -> Endpoint:
    """Build an endpoint; the key comes from ``OPENAI_API_KEY``, the address from ``OPENAI_BASE_URL`` unless given.

    Raises:
        InputError: without an address or a model.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL")
    if not address:
        raise InputError(
            "the teacher openai needs an endpoint", remedy="give --base-url, such as http://127.0.0.1:8000/v1"
        )
    if not model:
        raise InputError("the teacher openai needs the name of a model", remedy="give --model")
    endpoint = Endpoint(address, model, key=os.environ.get("OPENAI_API_KEY") or None)
    if endpoint.key is not None and urlsplit(address).scheme == "http" and not endpoint.is_local:
        raise InputError("a key is not sent without encryption", where=_shown(address), remedy="use https://")
    return endpoint


def _shown(address: str) -> str:
    """Give an address without user, password and query, for messages."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: patients and keys go to the named address or nowhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class ChatClient:
    """Puts questions to an endpoint, and again where the failure may pass."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        handlers: list[urllib.request.BaseHandler] = [_StayHere()]
        if endpoint.is_local:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, messages: list[dict[str, str]], *, seed: int = 0) -> str:
        """Give the model's answer to a chat.

        Raises:
            InputError: where the server does not answer, refuses the key or does not know the model.
            ClinRaGenError: where it keeps failing or answers something that is no chat completion.
        """
        body = {
            "model": self.endpoint.model,
            "messages": messages,
            "temperature": 0,
            "seed": seed,
            "max_tokens": self.endpoint.max_tokens,
        }
        wait = self.endpoint.wait
        for attempt in range(1, self.endpoint.attempts + 1):
            try:
                return self._answer(json.dumps(body).encode())
            except urllib.error.HTTPError as error:
                with error:
                    if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _AGAIN:
                        raise self._refused(error.code) from error
                    asked = error.headers.get("Retry-After", "") if error.headers else ""
                problem: Exception = error
                wait = min(max(wait, float(asked) if asked.isdigit() else 0.0), _LONGEST_WAIT)
            except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
                problem = error
            if attempt < self.endpoint.attempts:
                time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
        raise self._gave_up(problem) from problem

    def _answer(self, body: bytes) -> str:
        url = self.endpoint.base_url.rstrip("/") + "/chat/completions"
        headers = {"Content-Type": "application/json", "User-Agent": "clinragen"}
        if self.endpoint.key is not None:
            headers["Authorization"] = f"Bearer {self.endpoint.key}"
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - scheme is checked
        with self._opener.open(request, timeout=self.endpoint.timeout) as response:
            raw = response.read(_LARGEST_ANSWER)
        try:
            content = json.loads(raw)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise ClinRaGenError(f"{_shown(self.endpoint.base_url)}: the answer is no chat completion") from error
        return content if isinstance(content, str) else ""

    def _refused(self, code: int) -> InputError:
        remedies: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: "set OPENAI_API_KEY",
            HTTPStatus.FORBIDDEN: "check OPENAI_API_KEY and what it may do",
            HTTPStatus.NOT_FOUND: "check --base-url and --model",
        }
        # The server's own words may repeat the question, so they are not shown.
        where = _shown(self.endpoint.base_url)
        if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
            return InputError(f"redirected (HTTP {code}), not followed", where=where, remedy="give its final address")
        status = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "refused"
        return InputError(f"HTTP {code} {status}", where=where, remedy=remedies.get(code, "check --model"))

    def _gave_up(self, problem: Exception) -> ClinRaGenError:
        where, attempts = _shown(self.endpoint.base_url), self.endpoint.attempts
        if isinstance(problem, urllib.error.HTTPError):
            return ClinRaGenError(
                f"{where}: HTTP {problem.code} after {attempts} attempts; run the same command again later"
            )
        return InputError(
            f"no answer after {attempts} attempts ({type(problem).__name__})",
            where=where,
            remedy="is the server running? What was answered so far is kept",
        )
