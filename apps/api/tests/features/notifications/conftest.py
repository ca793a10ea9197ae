"""What the tests of notifications share."""

from support.deals import deals as deals
