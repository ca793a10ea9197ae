"""What the tests of people share."""

from support.deals import deals as deals
