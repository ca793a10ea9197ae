"""What the tests of orders share."""

from support.deals import deals as deals
from support.orders import orders as orders
from support.orders import payments as payments
from support.paying import paying as paying
