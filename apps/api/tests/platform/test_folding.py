"""Folding: the same word from any keyboard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memi.platform.folding import fold, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("İPƏK", "ipek"),
        ("ipək", "ipek"),
        ("IPEK", "ipek"),
        ("ıpek", "ipek"),
        ("Qadın ÇANTASI", "qadin cantasi"),
        ("qadin cantasi", "qadin cantasi"),
        ("Şərf, yun", "serf, yun"),
        ("GÖDƏKCƏ ğ ü", "godekce g u"),
        ("Зелёная ЁЛКА", "зеленая елка"),
        ("Zara пальто Ə", "zara пальто e"),
        ("Straße  Ørsted", "strasse orsted"),
        ("  two \t blanks\n", "two blanks"),
        ("ﬁne", "fine"),
        ("", ""),
    ],
)
def test_case_marks_and_blanks_do_not_matter(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_dotted_capital_written_in_two_code_points_is_the_same_letter() -> None:
    assert fold("I\u0307stanbul") == fold("İstanbul") == fold("istanbul")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Levi's 501®, T-shirt", ("levis", "501", "t", "shirt")),
        ("Levi’s", ("levis",)),
        ("H&M — пальто/куртка", ("h", "m", "пальто", "куртка")),
        ("size_42 (yeni)", ("size", "42", "yeni")),
        ("!!!", ()),
    ],
)
def test_words_are_letters_and_digits(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


def test_a_word_is_cut_to_a_bounded_length() -> None:
    assert words("a" * 500) == ("a" * 64,)


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet="abcçdeəfgğhxıijkqlmnoöprsştuüvyz", max_size=30))
def test_azerbaijani_capitals_fold_like_small_letters(text: str) -> None:
    capitals = text.replace("i", "İ").replace("ı", "I").upper()
    assert fold(capitals) == fold(text)
