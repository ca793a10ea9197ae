"""Every mail of notifications, in every language."""

import re
from collections.abc import Iterator
from email.headerregistry import Address
from typing import get_args

import pytest

from memi.listings.events import Move
from memi.notifications.handlers import _TO_FAVOURITERS  # pyright: ignore[reportPrivateUsage]
from memi.notifications.letters import LETTERS, Pen, money, wording
from memi.orders import events as orders
from memi.platform.mail import Mail, compose
from memi.platform.mail_wording import LOCALES
from memi.platform.settings import Settings
from memi.reservations import events as reservations
from support.mail import bodies

ADDRESS = "https://api.memi.example/api/v1/notifications/unsubscribe/" + "Ab3_-" * 20
SENDER = Address("memi", "no-reply", "memi.example")
DATA = {
    "listing_id": "L1",
    "reservation_id": "R1",
    "order_id": "O1",
    "listing_title": "Wool\r\ncoat <b>",
    "other_name": "Murad",
    "statement": "Sold elsewhere",
    "appeal_until": "2026-12-21T08:00:00Z",
    "before": 5000,
    "after": 4505,
    "price": {"amount": 4505, "currency": "AZN"},
}


def pen(locale: str, *, blocked: bool = False) -> Pen:
    settings = Settings(_env_file=None, web_url="https://memi.example")
    return Pen(settings, to="aysel@example.com", name="Aysel", locale=locale, unsubscribe=ADDRESS, blocked=blocked)


def written(locale: str) -> Iterator[tuple[str, Mail]]:
    for which in LETTERS:
        if which == "messages":
            yield which, pen(locale).messages([("Murad", "Wool coat", 3), ("Leyla", None, 1)], "/chats")
        elif which == "digest":
            yield which, pen(locale).digest([("listing.price_dropped", DATA), ("listing.sold", DATA)])
        else:
            yield which, pen(locale).news(which, DATA)


def test_every_language_has_every_mail() -> None:
    assert wording().names == {locale: set(LETTERS) for locale in LOCALES}


def test_every_event_that_people_are_told_has_a_mail_of_its_own() -> None:
    told = {f"reservation.{change}" for change in get_args(reservations.Change)}
    told |= {f"order.{change}" for change in get_args(orders.Change)}
    told |= set(_TO_FAVOURITERS.values()) | {"listing.price_dropped", "listing.expiring", "listing.expired"}
    assert told <= set(LETTERS)
    assert set(_TO_FAVOURITERS) <= set(get_args(Move))


@pytest.mark.parametrize("locale", LOCALES)
def test_every_mail_is_whole_in_every_language(locale: str) -> None:
    subjects: set[str] = set()
    for which, mail in written(locale):
        raw = compose(mail, SENDER).as_bytes()
        text, html = bodies(compose(mail, SENDER))
        assert f"List-Unsubscribe: <{ADDRESS}>\r\n".encode() in raw, "an address that is folded leads nowhere"
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
        for body in (text, html):
            assert "Aysel" in body
            assert ADDRESS in body
            assert "https://memi.example/account/notifications" in body
            assert not re.search(r"\{\{|\{%|\{[a-z_]+\}|None|Undefined", body), which
        assert "<b>" not in html, which
        assert f'lang="{locale}"' in html
        assert "\n" not in mail.subject
        subjects.add(mail.subject)
    assert len(subjects) == len(LETTERS)


@pytest.mark.parametrize("locale", LOCALES)
def test_what_has_no_words_yet_or_leads_nowhere_says_only_that_there_is_news(locale: str) -> None:
    for event, data in (("test.told", {"listing_title": "Secret"}), ("order.paid", {"listing_title": "Secret"})):
        mail = pen(locale).news(event, data)
        assert mail.subject == pen(locale).news("other", {}).subject
        assert "Secret" not in mail.text


@pytest.mark.parametrize("locale", LOCALES)
def test_a_decision_is_mailed_with_its_reasons_and_until_when_it_may_be_appealed(locale: str) -> None:
    for body in bodies(compose(pen(locale).news("moderation.decided", DATA), SENDER)):
        assert "Sold elsewhere" in body
        assert "2026-12-21" in body
    final = pen(locale).news("moderation.decided", DATA | {"appeal_until": None})
    assert "2026" not in final.text


@pytest.mark.parametrize("locale", LOCALES)
def test_somebody_who_is_blocked_is_led_to_where_they_can_read_it_and_appeal(locale: str) -> None:
    block = DATA | {"action": "BLOCK_USER"}
    kept_out, back = pen(locale, blocked=True), pen(locale)
    for event, data in (
        ("moderation.decided", block),
        ("moderation.decided", DATA),
        ("appeal.decided", block | {"status": "UPHELD"}),
        ("appeal.decided", block | {"status": "OVERTURNED"}),  # another block stands
    ):
        assert "https://memi.example/sign-in" in kept_out.news(event, data).text
        mail = back.news(event, data)
        assert "/sign-in" not in mail.text
        assert "https://memi.example/notifications" in mail.text


def test_somebody_who_is_let_in_again_is_not_told_that_they_are_kept_out() -> None:
    block = DATA | {"action": "BLOCK_USER"}
    told = [pen("en", blocked=blocked).news("moderation.decided", block).text for blocked in (True, False)]
    assert ["You cannot sign in" in text for text in told] == [True, False]
    assert ["try to sign in" in text for text in told] == [True, False]
    assert ["You may appeal until" in text for text in told] == [True, True]


def test_a_mail_of_many_chats_names_the_first_twenty() -> None:
    mail = pen("en").messages([(f"Murad{number:02}", "Coat", 2) for number in range(50)], "/chats")
    assert mail.subject == "You have unread messages (100)"
    assert "Murad19" in mail.text
    assert "Murad20" not in mail.text


def test_money_is_written_with_its_minor_units() -> None:
    assert [money(4505, "AZN"), money(5, "AZN"), money(None, "AZN")] == ["45.05 AZN", "0.05 AZN", "—"]
