"""GET /listings?q=: words in three languages, from any keyboard, misspelled or cut short."""

import httpx
import pytest

from features.search.conftest import Browse, Shelf
from memi.search.spelling import distance, nearest, query_words, tsquery, variants


class TestSearch:
    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ("palto", ["coat"]),
            ("PALTOSU", ["coat"]),
            ("qadın palto", ["coat"]),
            ("qadin  YUN", ["coat"]),
            ("QADIN", ["evening", "dress", "coat"]),
            ("səliqəli", ["coat"]),
            ("seliqeli", ["coat"]),
            ("платье", ["dress", "evening"]),
            ("ЛЕТНЕЕ платье", ["dress"]),
            ("dress", ["evening", "dress"]),
            ("silk dress", ["evening"]),
            ("ipək", ["evening"]),
            ("IPEK", ["evening"]),
            ("nike", ["sneakers"]),
            ("sneak", ["sneakers"]),
            ("running nik", ["sneakers"]),
            ("qara", ["coat"]),
            ("black", ["coat"]),
            ("чёрный", ["coat"]),
            ("nonexistentword", []),
            ("palto nonexistentword", []),
        ],
    )
    async def test_found(self, browse: Browse, words: str, names: list[str]) -> None:
        assert set(await browse(str(httpx.QueryParams({"q": words})))) == set(names)

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("nkie", "sneakers"),
            ("snaekers", "sneakers"),
            ("runing sneekers", "sneakers"),
            ("paltto", "coat"),
            ("mengo", "dress"),
            ("плтье летнее", "dress"),
            ("eveninng dres", "evening"),
        ],
    )
    async def test_slips_are_forgiven(self, browse: Browse, typed: str, name: str) -> None:
        assert name in await browse(str(httpx.QueryParams({"q": typed})))

    async def test_the_title_outweighs_the_rest(self, browse: Browse) -> None:
        # Both are dresses by category; one says so.
        assert await browse("q=dress") == ["evening", "dress"]
        assert await browse("q=платье") == ["dress", "evening"]

    async def test_with_filters_and_other_sorts(self, browse: Browse) -> None:
        assert await browse("q=dress&sort=price_asc") == ["dress", "evening"]
        assert await browse("q=dress&sort=price_desc") == ["evening", "dress"]
        assert await browse("q=dress&size=S") == ["dress"]
        assert await browse("q=dress&category=men") == []

    async def test_words_without_letters_are_no_words(self, browse: Browse) -> None:
        assert len(await browse("q=%21%21%21")) == 4
        assert len(await browse("q=")) == 4

    @pytest.mark.parametrize("text", ["'", "a & b | !c", "foo:*", "\\", "( <-> )", "%", '"', "a'b''c"])
    async def test_marks_of_query_languages_mean_nothing(
        self, client: httpx.AsyncClient, shelf: Shelf, text: str
    ) -> None:
        reply = await client.get("/api/v1/listings", params={"q": text})
        assert reply.status_code == 200


class TestSpelling:
    def test_query_words_are_distinct_and_bounded(self) -> None:
        assert query_words("Palto PALTO yun") == ("palto", "yun")
        assert len(query_words(" ".join(f"w{number}" for number in range(50)))) == 8

    def test_the_last_word_may_go_on(self) -> None:
        assert tsquery(("yun", "pal")) == "'yun' & 'pal':*"
        assert tsquery(("yun", "p")) == "'yun' & 'p'"
        assert tsquery(("nkie",), {"nkie": ["nike"]}) == "( 'nkie':* | 'nike' )"

    @pytest.mark.parametrize(
        ("one", "other", "slips"),
        [("palto", "palto", 0), ("palto", "pltoa", 2), ("nike", "nkie", 1), ("zara", "zarra", 1), ("ab", "", 2)],
    )
    def test_distance(self, one: str, other: str, slips: int) -> None:
        assert distance(one, other) == distance(other, one) == slips

    def test_words_one_slip_apart_share_a_variant(self) -> None:
        for other in ("nkie", "nik", "nikee", "nice"):
            assert set(variants("nike")) & set(variants(other)), other

    def test_short_words_forgive_one_slip_and_long_ones_two(self) -> None:
        assert nearest("addiddas", ["adidas", "addict"]) == ["adidas"]
        assert nearest("zaar", ["zara", "bazaar"]) == ["zara"]

    def test_a_misspelled_beginning_is_enough(self) -> None:
        assert nearest("paltto", ["paltosu", "palma", "paltolar"]) == ["paltolar", "paltosu"]
