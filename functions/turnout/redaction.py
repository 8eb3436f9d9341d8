"""Redaction: what a prompt must not keep is replaced by its kind in brackets, in bounded time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

Kind = Literal["email", "phone", "card", "key"]

MOST_KEPT: Final = 16_000
"""How many characters of a redacted prompt are kept at most."""
LONGEST_PATTERN: Final = 200
MOST_STEPS: Final = 1_000
_MARGIN: Final = 4_000
"""No pattern matches more characters: what a cut may have left half of lies within so many of it."""
_MOST_REPEATS: Final = 64

# Every repetition is bounded, and what follows one cannot be matched by it, or is few characters.
_PATTERNS: Final[Mapping[Kind, str]] = {
    "key": (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,3800}"
        r"|\beyJ[\w-]{10,300}\.[\w-]{10,2500}\.[\w-]{10,600}"
        r"|\b(?:sk|pk|rk|tn|gh[pousr]|github_pat|glpat|xox[abprs]|hf|AIza|AKIA|ASIA)[-_]?[\w-]{16,200}"
        r"|(?i:\bbearer\s{1,3}[\w.~+/-]{16,2000})"
        r"|(?i:\b(?:password|passwd|secret|token|api[ _-]?key)[\"']?"
        r"\s{0,3}[:=]\s{0,3}[\"']?[^\s\"',;]{6,200})"
    ),
    "email": r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "card": r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,63}",
    "phone": (
        r"(?<![\w+])(?:\+|00)[1-9][0-9 ()./-]{5,20}[0-9]"
        r"|(?<![\w-])\(?[2-9][0-9]{2}\)?[ .-]?[0-9]{3}[ .-]?[0-9]{4}(?![\w-])"
        r"|(?<![\w-])\(?0[0-9]{1,4}\)?[ /.-]?[0-9][0-9 .-]{4,12}[0-9]"
    ),
}
_PIECE: Final = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<or>\|)|(?P<endless>[*+])|(?P<maybe>\?)|\{(?P<least>\d*)(?P<comma>,?)(?P<most>\d*)\}|(?P<one>.)",
    re.DOTALL,
)


def redact(text: str, kinds: Sequence[Kind], own: Mapping[str, str]) -> str:
    """Return the text with everything of these kinds, and all that `own` patterns match, replaced.

    `own` are patterns by name that `checked_pattern` took. A text over MOST_KEPT characters is cut.
    """
    if not (kinds or own):
        return text
    is_cut = len(text) > MOST_KEPT
    text = text[: MOST_KEPT + _MARGIN] if is_cut else text
    for name, pattern in own.items():
        text = re.sub(pattern, _replacing(name), text)
    for kind, pattern in _PATTERNS.items():
        if kind in kinds:
            text = re.sub(pattern, _CHECKED.get(kind) or _replacing(kind), text)
    return text[:-_MARGIN] if is_cut and len(text) > _MARGIN else text


def checked_pattern(pattern: str) -> str:
    """Return the pattern if it is a regular expression that cannot take long. Raises ValueError.

    Python's `re` backtracks: each way of dividing a text among repetitions may be tried from every
    character. So repetitions must have a bound, groups are not repeated, and the number of ways times the
    longest match is at most MOST_STEPS: the time is then at most that many steps a character.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if compiled.match(""):
        raise ValueError("a pattern must not match the empty text")
    steps = _steps(pattern)
    if steps > MOST_STEPS:
        raise ValueError(
            f"could take {steps:,} steps a character, over {MOST_STEPS:,}: use fewer or tighter repetitions"
        )
    return pattern


def _steps(pattern: str) -> int:
    """Return the ways to match times the longest match; an upper bound. Raises ValueError."""
    ways, longest, before = 1, 0, ""
    for piece in _PIECE.finditer(pattern):
        kind = piece.lastgroup or ""
        if kind == "endless":
            raise ValueError("`*` and `+` have no bound; write {0,20} or {1,20}")
        if kind == "escape" and piece[0][1] in "123456789":
            raise ValueError("a pattern must not refer back to a group")
        if kind == "maybe":
            if before == "open":
                raise ValueError("of groups, only (...) and (?:...) may be used")
            ways *= 2
        elif kind == "or":
            ways *= 2
        elif piece["comma"] is not None and (piece["least"] or piece["most"] or piece["comma"]):
            least, most = _bounds(piece, before)
            ways *= most - least + 1
            longest += most - 1
        else:
            longest += 1
        before = kind
    return ways * max(1, longest)


def _bounds(piece: re.Match[str], before: str) -> tuple[int, int]:
    """Return how often a piece is repeated, at least and at most. Raises ValueError."""
    if before == "close":
        raise ValueError("a group must not be repeated; write it out")
    least = int(piece["least"] or 0)
    if piece["comma"] and not piece["most"]:
        raise ValueError("a repetition needs a bound: {1,20}, not {1,}")
    most = int(piece["most"]) if piece["comma"] else least
    if most > _MOST_REPEATS:
        raise ValueError(f"a piece may be repeated {_MOST_REPEATS} times at most")
    return least, most


def _replacing(name: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"[{name}]" if found[0] else ""


def _card(found: re.Match[str]) -> str:
    """Replace digits among which there is a card's number: whole groups of 13 to 19 that Luhn's sum fits."""
    groups = re.split("[ -]", found[0])
    for first in range(len(groups)):
        number = ""
        for group in groups[first : first + 19]:
            number += group
            if 13 <= len(number) <= 19 and _fits_luhn([int(digit) for digit in number]):
                return "[card]"
    return found[0]


def _fits_luhn(digits: Sequence[int]) -> bool:
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and any(digits)


_CHECKED: Final[Mapping[Kind, Callable[[re.Match[str]], str]]] = {"card": _card}
