"""The mails that notifications lead to: what each is called in the templates, and where it leads."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from string import Formatter
from typing import Any

from memi.platform.mail import Mail
from memi.platform.mail_wording import Wording
from memi.platform.settings import Settings

_RESERVATION, _ORDER, _LISTING = "/reservations/{reservation_id}", "/orders/{order_id}", "/listings/{listing_id}"
LETTERS: dict[str, str] = {
    "messages": "/chats",
    "digest": "/notifications",
    "other": "/notifications",
    "reservation.requested": _RESERVATION,
    "reservation.accepted": _RESERVATION,
    "reservation.rejected": _RESERVATION,
    "reservation.cancelled": _RESERVATION,
    "reservation.completed": _RESERVATION,
    "reservation.expired": _RESERVATION,
    "order.created": _ORDER,
    "order.paid": _ORDER,
    "order.completed": _ORDER,
    "order.cancelled": _ORDER,
    "order.payment_failed": _ORDER,
    "order.refunded": _ORDER,
    "listing.reserved": _LISTING,
    "listing.available": _LISTING,
    "listing.sold": _LISTING,
    "listing.price_dropped": _LISTING,
    "listing.expiring": _LISTING,
    "listing.expired": _LISTING,
    "listing.restored": _LISTING,
    "moderation.decided": "/notifications",
    "appeal.decided": "/notifications",
    "report.resolved": "/notifications",
    "report.appeal_decided": "/notifications",
    "account.unblocked": "/notifications",
}
"""By the event's name, the front end's page. An event that is not here is mailed as `other`, which says no more than
that there is something to read."""
_SIGN_IN = "/sign-in"
"""Where somebody who is blocked is led: trying to sign in is what gives them the decision and their appeal."""
_LONGEST = 120
_LONGEST_STATEMENT = 4000
MOST_LINES = 20
"""Lines of one digest, or chats of one mail."""


@lru_cache(maxsize=1)
def wording() -> Wording:
    return Wording("memi.notifications")


class Pen:
    """Writes to one person: `name` greets them in `locale`, `unsubscribe` ends this kind of mail.

    Who is `blocked` is led to where they hear of that, since no other page opens to them.
    """

    def __init__(
        self, settings: Settings, *, to: str, name: str, locale: str, unsubscribe: str, blocked: bool = False
    ) -> None:
        self._site = settings.site_url
        self._blocked = blocked
        self._to, self._name, self._locale, self._unsubscribe = to, name, locale, unsubscribe

    def news(self, event: str, data: Mapping[str, Any]) -> Mail:
        """The mail of one notification."""
        which = event if event in LETTERS and _leads_somewhere(LETTERS[event], data) else "other"
        path = _SIGN_IN if self._blocked else LETTERS[which].format_map(data)
        return self._write(which, path, **_values(data))

    def messages(self, chats: Sequence[tuple[str, str | None, int]], link: str) -> Mail:
        """One mail for all chats: (the other's name, what it is about, how many unread)."""
        lines = [
            f"{_short(name)}{f' · {_short(title)}' if title else ''}: {count}"
            for name, title, count in chats[:MOST_LINES]
        ]
        return self._write("messages", link, lines=lines, count=sum(count for _, _, count in chats))

    def digest(self, news: Sequence[tuple[str, Mapping[str, Any]]]) -> Mail:
        """Each as one line, in the words of the subject that its own mail would have."""
        lines = [self.news(event, data).subject for event, data in news[:MOST_LINES]]
        return self._write("digest", LETTERS["digest"], lines=lines, count=len(news))

    def _write(self, which: str, path: str, **values: Any) -> Mail:
        # RFC 8058: one POST to this address, without anybody signed in, ends this kind of mail.
        headers = {
            "List-Unsubscribe": f"<{self._unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        return wording().render(
            which,
            locale=self._locale,
            to=self._to,
            link=f"{self._site}{path}",
            headers=headers,
            site=self._site,
            name=self._name,
            settings=f"{self._site}/account/notifications",
            blocked=self._blocked,
            unsubscribe=self._unsubscribe,
            **values,
        )


def _leads_somewhere(path: str, data: Mapping[str, Any]) -> bool:
    return all(data.get(name) for _, name, _, _ in Formatter().parse(path) if name)


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the words name; a listing or person that is gone has no name left to give."""
    price: Mapping[str, Any] = data.get("price") or {}
    currency = str(price.get("currency", ""))
    return {
        "title": _short(data.get("listing_title") or "—"),
        "other": _short(data.get("other_name") or "—"),
        "statement": " ".join(str(data.get("statement") or "—").split())[:_LONGEST_STATEMENT],
        "action_taken": str(data.get("action") or ""),
        "until": (data.get("appeal_until") or "")[:10],
        "before": money(data.get("before"), currency),
        "after": money(data.get("after"), currency),
    }


def money(amount: int | None, currency: str) -> str:
    """Minor units as people write them."""
    return "—" if amount is None else f"{amount // 100}.{amount % 100:02} {currency}".strip()


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
