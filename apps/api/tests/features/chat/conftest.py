"""What the tests of chats share."""

from support.talks import talks as talks
