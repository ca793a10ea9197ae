"""What the tests of notifications share."""

from support.deals import deals as deals
from support.news import news as news
from support.talks import talks as talks
