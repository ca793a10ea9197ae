"""What the tests of chats share."""

from support.cases import cases as cases
from support.leaving import leaving as leaving
from support.talks import talks as talks
