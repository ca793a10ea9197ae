"""Where requests that change something come in, so that a crowd of them does not keep reads waiting."""

import asyncio
from collections import deque


class Entrance:
    """Lets one in at each turn of the event loop; whoever comes alone does not wait.

    What a request does before it first waits for something is a fraction of a millisecond, but a hundred that came in
    the same moment would do it one after the other, with everybody else's replies held up behind them.
    """

    def __init__(self) -> None:
        self._passed = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        loop = asyncio.get_running_loop()
        if self._passed:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.append(waiter)
            await waiter
        else:
            self._passed = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                loop.call_soon(self._turn, loop)
                return
        self._passed = False
