"""From words to mail: a feature keeps its mails as one TOML file per language, and both forms come from the same words.

A file has the entries `[common]` and one per mail with `subject`, `body` (paragraphs), and, where the mail leads
somewhere, `action` (what the link is called). All of them are Jinja templates; HTML is escaped by itself, and a value
that is not given is an error.
"""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from memi.platform.mail import Mail

LOCALES = ("az", "en", "ru")
DEFAULT_LOCALE = "az"
_LAYOUTS = PackageLoader("memi.platform", "templates")
_HTML = Environment(autoescape=True, undefined=StrictUndefined, loader=_LAYOUTS, trim_blocks=True, lstrip_blocks=True)
_TEXT = Environment(
    autoescape=False,  # noqa: S701  # plain text has nothing to escape
    undefined=StrictUndefined,
    loader=_LAYOUTS,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class Wording:
    """The mails of one feature, in every language."""

    def __init__(self, package: str) -> None:
        folder = files(package) / "templates"
        self._by_locale: dict[str, dict[str, dict[str, Any]]] = {
            locale: tomllib.loads((folder / f"{locale}.toml").read_text("utf-8")) for locale in LOCALES
        }

    @property
    def names(self) -> dict[str, set[str]]:
        """The mails that each language has."""
        return {locale: set(mails) - {"common"} for locale, mails in self._by_locale.items()}

    def render(
        self,
        which: str,
        /,
        *,
        locale: str,
        to: str,
        link: str | None,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Mail:
        """The mail `which` with its `values`; a language that is not known gets the default one."""
        locale = locale if locale in self._by_locale else DEFAULT_LOCALE
        words = {**self._by_locale[locale]["common"], **self._by_locale[locale][which]}
        given = {key: _one_line(value) for key, value in values.items()} | {"link": link, "locale": locale}
        parts = {
            environment: {key: _fill(environment, text, given) for key, text in words.items()}
            for environment in (_HTML, _TEXT)
        }
        return Mail(
            to=to,
            subject=parts[_TEXT]["subject"],
            text=_TEXT.get_template("mail.txt").render(given | parts[_TEXT]),
            html=_HTML.get_template("mail.html").render(given | parts[_HTML]),
            headers={"Content-Language": locale, **(headers or {})},
        )


def _fill(environment: Environment, words: str | list[str], values: dict[str, Any]) -> Any:
    """Words with their values; those for HTML come back marked as escaped, so that the layout does not do it again."""
    if isinstance(words, list):
        return [_fill(environment, item, values) for item in words]
    text = _compiled(environment, words).render(values)
    return Markup(text) if environment is _HTML else text  # noqa: S704  # its environment escaped it


def _one_line(value: Any) -> Any:
    """What people named things stays one line, so that it cannot pass for words of ours."""
    return " ".join(value.split()) if isinstance(value, str) else value


@lru_cache(maxsize=2000)
def _compiled(environment: Environment, words: str) -> Template:
    return environment.from_string(words)
