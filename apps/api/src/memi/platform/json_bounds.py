"""What a JSON body may look like before anything decodes it: not too deep, no endless numbers."""

import re

from memi.platform.errors import AppError

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NUMBER = re.compile(rb"[0-9][0-9.eE+\-]*")


class JsonTooDeep(AppError):
    code, status, title = "json_too_deep", 400, "The body is nested more deeply than is accepted."


class NumberTooLong(AppError):
    code, status, title = "number_too_long", 400, "The body has a number with more digits than are accepted."


def check_json(body: bytes, *, max_depth: int, max_digits: int) -> None:
    """Raise `JsonTooDeep` or `NumberTooLong`; whether it is JSON at all, the decoder says."""
    # Nearly every body is cleared by these two counts, without being looked at in detail.
    if body.count(b"[") + body.count(b"{") <= max_depth and not re.search(rb"[0-9.eE+\-]{%d}" % (max_digits + 1), body):
        return
    bare = _STRING.sub(b"", body)
    depth = 0
    for bracket in re.finditer(rb"[\[\]{}]", bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > max_depth:
            raise JsonTooDeep(f"A body may be nested {max_depth} levels deep.")
    for number in _NUMBER.finditer(bare):
        if len(number[0]) > max_digits:
            raise NumberTooLong(f"A number may have {max_digits} digits.")
