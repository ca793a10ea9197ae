"""What makes the audit log's chain: each entry's hash covers the one before it, so that one change breaks the rest.

Nothing here asks the database's own functions: who could change entries could have changed those too.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote
from uuid import UUID

from memi.platform.keyring import KeyRing

START = bytes(32)
"""What stands before the first entry."""
_PURPOSE = "audit-anchor"
_ANCHOR = re.compile(r"memi-audit-anchor:v1:([1-9][0-9]{0,18}|0):([0-9a-f]{64}):([^:\s\"]{1,1000}):([0-9a-f]{64})")


class Link(NamedTuple):
    """An entry as the chain sees it. `words` is all that its hash is made of besides the one before."""

    seq: int | None
    hash: bytes | None
    words: bytes
    id: UUID
    said: str
    """When and what, for people."""


class Head(NamedTuple):
    """The number and hash of the last entry."""

    seq: int
    hash: bytes


class Broken(Exception):
    """The log is not what was written; the message names the first entry by which that shows."""


@dataclass(frozen=True)
class Anchor:
    """A head as it once was, signed by the key ring and kept where whoever rules the database does not."""

    seq: int
    hash: bytes
    kid: str
    mac: str

    def __str__(self) -> str:
        return f"memi-audit-anchor:v1:{self.seq}:{self.hash.hex()}:{quote(self.kid, safe='')}:{self.mac}"


def next_hash(before: bytes, words: bytes) -> bytes:
    return hashlib.sha256(before + words).digest()


def anchor_of(head: Head, ring: KeyRing) -> Anchor:
    """The head, signed by the active key."""
    return Anchor(head.seq, head.hash, ring.active, _mac(head, ring.signing_key(_PURPOSE)))


def anchors_in(lines: Iterable[str]) -> list[Anchor]:
    """Every anchor that stands somewhere in a text, such as a log, each once, the earliest entry first."""
    found = {
        Anchor(int(seq), bytes.fromhex(hash), unquote(kid), mac)
        for line in lines
        for seq, hash, kid, mac in _ANCHOR.findall(line)
    }
    return sorted(found, key=lambda anchor: (anchor.seq, anchor.hash, anchor.kid, anchor.mac))


def is_genuine(anchor: Anchor, ring: KeyRing) -> bool | None:
    """Whether a key of the ring signed it; None when its key has left the ring, and nobody can say."""
    key = ring.derive(_PURPOSE, anchor.kid)
    if key is None:
        return None
    return hmac.compare_digest(anchor.mac, _mac(Head(anchor.seq, anchor.hash), key))


def _mac(head: Head, key: bytes) -> str:
    return hmac.new(key, f"v1:{head.seq}:{head.hash.hex()}".encode(), hashlib.sha256).hexdigest()


class Follower:
    """Follows a chain from its start, entry by entry, in the order of their numbers, those without one last."""

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self.head = Head(0, START)
        self._anchors: dict[int, set[bytes]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.seq, set()).add(anchor.hash)
        self._compare_anchors()

    def follow(self, link: Link) -> None:
        """Take the next entry; raises `Broken`."""
        if link.seq is None or link.hash is None:
            raise Broken(f"{_name(link)} is in the log but not in its chain: it was put there past the rules")
        expected = self.head.seq + 1
        if link.seq > expected:
            raise Broken(f"{_range(expected, link.seq - 1)} missing: deleted, or given another number")
        if link.seq < expected:
            raise Broken(f"{_name(link)} has a number that was taken before")
        if not hmac.compare_digest(next_hash(self.head.hash, link.words), link.hash):
            raise Broken(f"{_name(link)} is not what was written, or the one before it is not")
        self.head = Head(link.seq, link.hash)
        self._compare_anchors()

    def finish(self, head: Head | None) -> Head:
        """There are no more entries, and `head` is the end that the database remembers; raises `Broken`."""
        last = self.head
        if head is None:
            raise Broken("audit_head is empty: nothing tells where the log ends")
        if head.seq > last.seq:
            raise Broken(f"{_range(last.seq + 1, head.seq)} missing from the end")
        if head != last:
            raise Broken(f"entry {last.seq} is the last one, but audit_head says {head.seq}, or another hash")
        if self._anchors:
            raise Broken(f"{_range(last.seq + 1, max(self._anchors))} missing from the end, as an anchor shows")
        return last

    def _compare_anchors(self) -> None:
        known = self._anchors.pop(self.head.seq, None)
        if known is not None and known != {self.head.hash}:
            raise Broken(
                f"entry {self.head.seq} or one before it was changed and all later hashes made anew, as an anchor shows"
            )


def _name(link: Link) -> str:
    number = "an entry" if link.seq is None else f"entry {link.seq}"
    return f"{number} ({link.id}, {link.said})"


def _range(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
