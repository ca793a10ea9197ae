"""What the tests of chats share."""

from support.cases import cases as cases
from support.deals import deals as deals
from support.leaving import leaving as leaving
from support.orders import orders as orders
from support.orders import payments as payments
from support.paying import paying as paying
from support.talks import talks as talks
