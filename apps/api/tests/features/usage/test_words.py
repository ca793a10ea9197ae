"""What is kept of the words that people search for."""

import pytest

from memi.search.spelling import query_words
from memi.usage.bots import is_bot
from memi.usage.words import MAX_LENGTH, shortened, without_contacts


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("yun palto", "yun palto"),
        ("Levi's 501 38", "levis 501 38"),
        ("Şal ƏLA", "sal ela"),
        ("palto 050 123 45 67", "palto"),
        ("palto +994-50-123-45-67 qara", "palto qara"),
        ("(050) 1234567", None),
        ("4169 7388 1234 5678 kart", "kart"),
        ("aysel@example.com palto", "palto"),
        ("palto @aysel.shop", "palto"),
        ("https://example.com/u/aysel palto", "palto"),
        ("www.example.com palto", "palto"),
        ("", None),
    ],
)
def test_words_are_kept_without_what_could_be_somebodys(typed: str, kept: str | None) -> None:
    assert shortened(query_words(without_contacts(typed))) == kept


def test_words_are_cut_between_words() -> None:
    assert shortened(("a" * 60, "b" * 39, "c")) == "a" * 60 + " " + "b" * 39
    assert len("a" * 60 + " " + "b" * 39) == MAX_LENGTH
    assert shortened(("a" * 60, "b" * 40, "c")) == "a" * 60


@pytest.mark.parametrize(
    "agent",
    [
        b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        b"facebookexternalhit/1.1",
        b"WhatsApp/2.23",
        b"Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    ],
)
def test_who_names_itself_a_machine_is_one(agent: bytes) -> None:
    assert is_bot(agent)


@pytest.mark.parametrize(
    "agent", [b"", b"okhttp/5.0", b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/605.1.15"]
)
def test_others_are_taken_for_people(agent: bytes) -> None:
    assert not is_bot(agent)
