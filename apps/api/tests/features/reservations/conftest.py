"""What the tests of reservations share."""

from support.deals import deals as deals
