"""Names that people give."""

import pytest

from callctl.core.names import tidy_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Kovács Anna ", "Kovács Anna"),
        ("A\u0301nna", "Ánna"),
        ("نرم\u200cافزار", "نرم\u200cافزار"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("<b>'; drop table users", "<b>'; drop table users"),
    ],
)
def test_names_of_all_the_world_are_kept(given: str, kept: str) -> None:
    assert tidy_name(given) == kept


@pytest.mark.parametrize(
    "text",
    ["", "  ", "\u200d", "\u00a0", "a\0b", "a\nb", "a\x7fb", "a\u0085b", "a\u202eb", "\u2066a",
     "\u200fa", "a\u2028b", "\ufeffa", "\u200b", "a\ud800"],
)  # fmt: skip
def test_what_cannot_be_seen_or_turns_text_around_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"U\+|blank"):
        tidy_name(text)
