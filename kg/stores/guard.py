"""Text from a person is checked against a list of what is allowed before any store sees it.

A database opened read-only still reads and writes files (``LOAD CSV``, ``COPY … TO``, ``EXPORT DATABASE``) and tells of
its users and settings (``SHOW USERS``, ``CALL dbms.listConfig()``), so read-only alone protects nothing. The check
works on tokens, in three layers that each suffice for the attacks known:

1. A statement, and each part of a ``UNION``, begins with a clause of the list, and a name may follow a value only where
   it is a keyword of the list: so no clause that is not on it can stand anywhere.
2. Names of clauses that are never allowed are refused wherever they stand bare.
3. Only functions of the list may be called.

What reaches the store is put together from the tokens that were checked, without the comments: the store cannot take
for code what this module took for a comment. Unicode escapes are refused whole, because Neo4j resolves them before it
looks for the ends of strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ehr.errors import InputError
from kg.stores.functions import FUNCTIONS, NAMESPACES, words

LONGEST_TEXT = 100_000

_READ_STARTS = frozenset({"MATCH", "OPTIONAL", "WITH", "UNWIND", "RETURN"})
_WRITE_STARTS = _READ_STARTS | {"CREATE", "MERGE"}
_WORDS_OF_VALUES = frozenset({"NULL", "TRUE", "FALSE", "END", "ASC", "ASCENDING", "DESC", "DESCENDING"})
"""Keywords that a value or the words about it may end with: after them only a keyword may follow, as after a value."""
_READ_KEYWORDS = (
    _READ_STARTS
    | _WORDS_OF_VALUES
    | words(
        """WHERE UNION ALL ORDER BY SKIP LIMIT AS DISTINCT AND OR XOR NOT IN IS STARTS ENDS CONTAINS CASE WHEN THEN ELSE
        ASC ASCENDING DESC DESCENDING EXISTS"""
    )
)
_WRITES = frozenset({"CREATE", "MERGE", "SET", "DELETE", "DETACH", "REMOVE"})
_WRITE_KEYWORDS = _READ_KEYWORDS | _WRITES | {"ON"}
_PATH_WORDS = frozenset({"SHORTEST", "ALL", "TRAIL", "ACYCLIC", "WSHORTEST"})
NEVER = words(
    """LOAD COPY EXPORT IMPORT ATTACH INSTALL UNINSTALL CALL YIELD SHOW DROP ALTER GRANT DENY REVOKE FOREACH TERMINATE
    CHECKPOINT"""
)
"""Names of clauses and commands that no query may contain bare; as a property, label or in backticks they may stand."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+)
    |(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\[\\'"`bfnrt])*'|"(?:[^"\\]|\\[\\'"`bfnrt])*")
    |(?P<name>`(?:[^`\\]|``)+`)
    |(?P<parameter>\$[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>0[xX][0-9A-Fa-f]+|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>[()\[\]{},.:|&!%^=<>+\-*~]|/(?!\*))
    |(?P<semicolon>;)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = frozenset({")", "]", "}"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of Cypher text; ``kind`` is string, name, parameter, number, word or sign."""

    kind: str
    text: str

    @property
    def keyword(self) -> str:
        """The word in capitals; empty for every other kind."""
        return self.text.upper() if self.kind == "word" else ""


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """A text that may be sent to a store, and the names of the parameters it asks for."""

    text: str
    parameters: tuple[str, ...]


def check_query(text: str, *, write: bool = False) -> CheckedQuery:
    """Let a query pass that does no more than read the graph (or, with ``write``, change nodes and relationships).

    Args:
        text: one Cypher statement.
        write: allow CREATE, MERGE, SET, REMOVE and DELETE.

    Raises:
        InputError: naming what is not allowed.
    """
    pieces = split_tokens(text)
    tokens = [piece for piece in pieces if piece.kind not in {"space", "comment", "semicolon"}]
    after = next((n for n, piece in enumerate(pieces) if piece.kind == "semicolon"), None)
    if after is not None:
        if any(piece.kind not in {"space", "comment", "semicolon"} for piece in pieces[after:]):
            raise InputError("a query is one statement, found a second one after ;")
        pieces = pieces[:after]
    if not tokens:
        raise InputError("the query is empty")
    _check_starts(tokens, _WRITE_STARTS if write else _READ_STARTS)
    _check_words(tokens, write)
    _check_functions(tokens)
    clean = "".join(" " if piece.kind == "comment" else piece.text for piece in pieces).strip()
    return CheckedQuery(clean, tuple(sorted({token.text[1:] for token in tokens if token.kind == "parameter"})))


def bind(query: CheckedQuery, parameters: Mapping[str, object]) -> dict[str, object]:
    """Pick the parameters that a query asks for.

    Raises:
        InputError: where one is missing, or is no text, number, truth value or list or map of these.
    """
    missing = [name for name in query.parameters if name not in parameters]
    if missing:
        raise InputError(f"missing parameters: {', '.join(missing)}", remedy="give each with -p name=value")
    return {name: _value(name, parameters[name]) for name in query.parameters}


def split_tokens(text: str) -> list[Token]:
    """Cut Cypher text into tokens, spaces and comments included; joined, they are the text again.

    Raises:
        InputError: for a string, name or comment without an end, an escape that is not allowed, and signs that
            belong to no token.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError(f"the query has {len(text)} characters, {LONGEST_TEXT} are allowed")
    text = text.replace("\r\n", "\n")
    if re.search(r"\\[uU]", text):
        raise InputError("unicode escapes are not allowed in a query", remedy="write the character, or use a parameter")
    if "\r" in text:
        raise InputError("the query has a carriage return that ends no line")
    pieces: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise InputError(_unreadable(text, at))
        pieces.append(Token(str(found.lastgroup), found.group()))
        at = found.end()
    return pieces


def _unreadable(text: str, at: int) -> str:
    sign = text[at]
    line = text.count("\n", 0, at) + 1
    if sign in "'\"":
        return f"a string that begins in line {line} has no end, or an escape that is not allowed"
    if sign == "`":
        return f"a name in backticks that begins in line {line} has no end, or a backslash"
    if text.startswith("/*", at):
        return f"a comment that begins in line {line} has no end"
    shown = sign if sign.isprintable() and sign.isascii() else f"U+{ord(sign):04X}"
    return f"line {line} of the query has the sign {shown} outside a string, which is not allowed there"


def _check_starts(tokens: list[Token], starts: frozenset[str]) -> None:
    begins = [0]
    for n, token in enumerate(tokens):
        if token.keyword == "UNION" and (n == 0 or tokens[n - 1].text != "."):
            follows = tokens[n + 1].keyword if n + 1 < len(tokens) else ""
            begins.append(n + 2 if follows in {"ALL", "DISTINCT"} else n + 1)
    for n in begins:
        found = tokens[n] if n < len(tokens) else Token("sign", "nothing")
        if found.keyword not in starts:
            _refuse(found, starts)


def _check_words(tokens: list[Token], write: bool) -> None:
    keywords = _WRITE_KEYWORDS if write else _READ_KEYWORDS
    value_before = False
    previous = Token("sign", "")
    for n, token in enumerate(tokens):
        bare = token.kind == "word" and previous.text not in {".", ":"}
        if bare and (token.keyword in NEVER or (token.keyword in _WRITES and not write)):
            _refuse(token, keywords)
        is_keyword = token.keyword in keywords and previous.text != "."
        if value_before and token.kind not in {"sign"} and not is_keyword:
            _refuse(token, keywords)
        if is_keyword:
            _check_clause(tokens, n)
        path_word = token.keyword in _PATH_WORDS and previous.text in {"*", "ALL"}
        star = token.text == "*" and previous.text.upper() in {"RETURN", "WITH", "DISTINCT"}  # all variables: a value
        value_before = star or (
            _ends_value(token) and (not is_keyword or token.keyword in _WORDS_OF_VALUES) and not path_word
        )
        previous = Token(token.kind, token.text.upper()) if path_word else token


def _ends_value(token: Token) -> bool:
    return token.text in _CLOSING if token.kind == "sign" else True


def _check_clause(tokens: list[Token], n: int) -> None:
    """Refuse allowed words that begin a command of another kind, such as ``CREATE INDEX`` or ``DETACH database``."""
    word = tokens[n].keyword
    rest = [token.text for token in tokens[n + 1 : n + 3]] + ["", ""]
    wanted = {
        "OPTIONAL": rest[0].upper() == "MATCH",
        "DETACH": rest[0].upper() == "DELETE",
        "CREATE": rest[0] == "(" or rest[1] == "=" or (n > 0 and tokens[n - 1].keyword == "ON"),
        "MERGE": rest[0] == "(" or rest[1] == "=",
    }
    if not wanted.get(word, True):
        raise InputError(f"{word} {rest[0]} is not allowed in a query")


def _check_functions(tokens: list[Token]) -> None:
    for n, (token, follows) in enumerate(pairwise(tokens)):
        if follows.text != "(" or token.kind not in {"word", "name"}:
            continue
        if token.keyword in _WRITE_KEYWORDS and tokens[n - 1].text != ".":
            continue
        name = token.text.strip("`").lower()
        spaces: list[str] = []
        at = n
        while at >= 2 and tokens[at - 1].text == "." and tokens[at - 2].kind in {"word", "name"}:
            at -= 2
            spaces.append(tokens[at].text.strip("`").lower())
        if (spaces and (len(spaces) > 1 or spaces[0] not in NAMESPACES)) or (not spaces and name not in FUNCTIONS):
            full = ".".join([*reversed(spaces), name])
            raise InputError(f"the function {full}() is not among those that a query may call")


def _refuse(token: Token, allowed: frozenset[str]) -> None:
    found = token.text if len(token.text) <= 40 else token.text[:39] + "…"
    if token.keyword in _WRITES and token.keyword not in allowed:
        raise InputError(f"{token.keyword} changes the graph, and this query may only read", remedy="see --write")
    if token.keyword in NEVER:
        raise InputError(
            f"{token.keyword} is not allowed in a query", remedy="put a name that is spelt like this in backticks"
        )
    clauses = ", ".join(sorted(allowed & (_WRITE_STARTS | _WRITES)))
    raise InputError(f"found {found} where a query may not go on like this; it may use the clauses {clauses}")


def _value(name: str, value: object) -> object:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_value(name, one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_value(name, one) for one in value), key=str)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _value(name, one) for key, one in value.items()}
    raise InputError(f"parameter {name} is a {type(value).__name__}, expected text, a number, true, false or a list")
