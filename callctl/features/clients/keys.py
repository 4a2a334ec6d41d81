"""Search keys: words that a name, an address or a number is found by, made once, at its saving.

Words are lower case Latin letters and digits, whatever they were written in; Chinese, Japanese and
Korean words stand there as they are, too. A question is made into words in the same way
(R003-41: pinyin, and more).
"""

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from anyascii import anyascii

from callctl.numbers import format_number

_HAN = "\u2e80-\u2fdf\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_KANA_HANGUL = "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_PIECES = re.compile(rf"[{_HAN}]+|[{_KANA_HANGUL}]+|[^\W_{_HAN}{_KANA_HANGUL}]+")
_IS_HAN = re.compile(f"[{_HAN}]")
_IS_WIDE = re.compile(f"[{_HAN}{_KANA_HANGUL}]")
_NUMBER = re.compile(r"[+0-9(][0-9 ()./-]*")
_MOST_READINGS = 4
_MOST_WORDS = 10
_LONGEST_WORD = 64
"""Longer ones are cut: nobody types them, and each letter costs an index entry."""


def search_text(name: str, address: str, numbers: Iterable[str], country: str) -> str:
    """The words of a client, parted by blanks, for `clients.search`. Numbers are E.164."""
    words: dict[str, None] = dict.fromkeys(
        word for text in (name, address) for word in _words_of(text) if word
    )
    for number in numbers:
        words[number.removeprefix("+")] = None
        words["".join(c for c in format_number(number, country) if c.isdecimal())] = None
    return " ".join(words)


def sort_key(name: str) -> str:
    """What lists are ordered by: Chinese by pinyin, accents as their letters."""
    return " ".join(
        "".join(_pinyin(piece)[0]) if _IS_HAN.match(piece) else _fold(piece)
        for piece in _pieces(name)
    )[:200]


def question_words(text: str) -> list[str]:
    """What is asked for, word by word; a number is one word, however it is grouped."""
    text = unicodedata.normalize("NFKC", text).strip()
    if _NUMBER.fullmatch(text):
        digits = "".join(c for c in text if c.isdecimal())
        return [digits] if digits else []
    words = (p.lower() if _IS_WIDE.match(p) else _fold(p) for p in _pieces(text))
    return [w[:_LONGEST_WORD] for w in words if w][:_MOST_WORDS]


def question_grams(words: Iterable[str]) -> list[str]:
    """What the index is asked for; see `client_grams` in the migrations."""
    grams: dict[str, None] = {}
    for word in words:
        pieces = [word[i : i + 3] for i in range(len(word) - 2)] or [f"^{word}"]
        grams |= dict.fromkeys(pieces)
    return list(grams)


def _pieces(text: str) -> list[str]:
    """Runs of letters and digits of one kind of writing."""
    if text.isascii():
        return _PIECES.findall(text)
    normal = unicodedata.normalize("NFKC", text)
    # Marks that stay beside their letter (Indic vowels) are no part of \w; they part no word.
    return _PIECES.findall("".join(c for c in normal if unicodedata.category(c) != "Mn"))


def _fold(piece: str) -> str:
    if piece.isascii():
        return piece.lower()
    return "".join(c for c in anyascii(piece).lower() if c.isalnum())


def _words_of(text: str) -> Iterator[str]:
    for piece in _pieces(text):
        if not _IS_WIDE.match(piece):
            yield _fold(piece)[:_LONGEST_WORD]
            continue
        piece = piece[:_LONGEST_WORD]
        yield piece
        # Nobody writes blanks: each sign may begin a word, and two are enough to ask for.
        yield from (piece[i : i + 2] for i in range(1, len(piece)))
        if _IS_HAN.match(piece):
            for syllables in _pinyin(piece):
                yield "".join(syllables)
                yield "".join(s[0] for s in syllables)
        else:
            yield _fold(piece)


def _pinyin(han: str) -> list[list[str]]:
    """Readings, the likeliest first. Only the first sign varies: a family name is often read in its
    own way (单 shan, not dan)."""
    # 40 MB, and a third of a second to load: only for who has Chinese clients.
    from pypinyin import Style, lazy_pinyin, pinyin

    rest = [_fold(s) for s in lazy_pinyin(han)]
    rest = [s for s in rest if s] or [_fold(han)]
    first = pinyin(han[0], style=Style.NORMAL, heteronym=True)[0]
    firsts = dict.fromkeys([rest[0], *(_fold(s) for s in first)])
    return [[f, *rest[1:]] for f in itertools.islice((f for f in firsts if f), _MOST_READINGS)]
