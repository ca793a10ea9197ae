"""A moderator that knows some words. `async`, to show that it may be; it waits for nothing."""

import re

from memi.intelligence.ports import ChatMessage, Concern, ConcernKind, Review

WORDS: dict[ConcernKind, tuple[str, ...]] = {
    "ABUSE": ("idiot", "axmaq", "дурак"),
    "SCAM": ("prepayment", "western union", "qabaqcadan", "предоплата"),
    "CONTACT": ("whatsapp", "telegram"),
}
PATTERNS: dict[ConcernKind, re.Pattern[str]] = {
    kind: re.compile(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
    for kind, words in WORDS.items()
}


class WordListModerator:
    """Flags a message for each kind of word that is in it."""

    async def review(self, message: ChatMessage) -> Review:
        concerns: list[Concern] = []
        for kind, pattern in PATTERNS.items():
            found = pattern.search(message.text)
            if found is not None:
                concerns.append(Concern(kind=kind, note=f"says {found.group().lower()}"))
        return Review(concerns=tuple(concerns))
