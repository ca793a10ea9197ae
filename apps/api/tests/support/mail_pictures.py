"""Pictures of the mails for the documentation: every mail in English, one in all languages, one as on a telephone.

Run from the root of the repository, with the folder to write to; needs a Chromium.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from memi.notifications.letters import LETTERS, Pen
from memi.platform.mail import Mail
from memi.platform.mail_wording import LOCALES
from memi.platform.settings import Settings
from support.chromium import chromium, chromium_path

IN_EVERY_LANGUAGE = "moderation.decided"
WIDE, NARROW = 600, 400
_ADDRESS = "https://api.memi.example/api/v1/notifications/unsubscribe/" + "Ab3_-" * 20
_DATA: dict[str, Any] = {
    "listing_id": "0192f3a4-5b6c-7d8e-9f00-1a2b3c4d5e6f",
    "reservation_id": "0192f3a4-5b6c-7d8e-9f00-1a2b3c4d5e6f",
    "order_id": "0192f3a4-5b6c-7d8e-9f00-1a2b3c4d5e6f",
    "listing_title": "Wool coat, size M",
    "other_name": "Murad",
    "action": "REMOVE_LISTING",
    "statement": "The label is not the maker's. Our rules forbid counterfeits.",
    "appeal_until": "2026-12-21T08:00:00Z",
    "before": 5000,
    "after": 4505,
    "price": {"amount": 4505, "currency": "AZN"},
}


def written(which: str, locale: str) -> Mail:
    settings = Settings.model_validate({"web_url": "https://memi.example"})
    pen = Pen(settings, to="aysel@example.com", name="Aysel", locale=locale, unsubscribe=_ADDRESS)
    if which == "messages":
        return pen.messages([("Murad", "Wool coat, size M", 3), ("Leyla", None, 1)], LETTERS[which])
    if which == "digest":
        return pen.digest([("listing.price_dropped", _DATA), ("listing.sold", _DATA), ("listing.available", _DATA)])
    return pen.news(which, _DATA)


async def draw(folder: Path, path: str) -> None:
    wanted = [(which, "en", WIDE) for which in LETTERS if which != IN_EVERY_LANGUAGE]
    wanted += [(IN_EVERY_LANGUAGE, locale, WIDE) for locale in LOCALES] + [(IN_EVERY_LANGUAGE, "ru", NARROW)]
    folder.mkdir(parents=True, exist_ok=True)
    async with chromium(path) as browser:
        page = await browser.new_page()
        for which, locale, width in wanted:
            await page.set_viewport_size({"width": width, "height": 200})
            await page.set_content(written(which, locale).html)
            name = f"{which}.{locale}{'.narrow' if width == NARROW else ''}.png"
            await page.screenshot(path=folder / name, full_page=True)


def main() -> None:
    path = chromium_path()
    if path is None:
        sys.exit("no Chromium found: install one, such as Debian's package chromium")
    asyncio.run(draw(Path(sys.argv[1]), path))


if __name__ == "__main__":
    main()
