"""The child process of the image pool: reads orders from its input, works one at a time, writes the answers.

Started as `python -m memi.media.processing_worker MEMORY_BYTES`. A frame is four big-endian length bytes and that much
MessagePack. End of input means that the parent is done or dead, and ends this process at once, even amid a picture.
"""

import os
import resource
import signal
import sys
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

import msgspec

from memi.media.images import allow_only_photo_loaders, process_image
from memi.media.processing_messages import LENGTH_BYTES, Answer, Done, Order, Rejected, Unreadable, frame
from memi.media.results import ImageRejected

_NICENESS = 10


def answer(order: Order) -> Answer:
    """Do one order. Anything unforeseen is left to end the process: the pool reports a crash and starts a fresh one."""
    try:
        image = process_image(
            Path(order.path),
            declared_type=order.declared_type,
            max_pixels=order.max_pixels,
            avif=order.avif,
        )
    except ImageRejected as rejection:
        return Rejected(rejection.code)
    except OSError as error:
        return Unreadable(error.errno or 0)
    return Done(image)


def _read_orders(source: BinaryIO, orders: "SimpleQueue[Order]") -> None:
    decoder = msgspec.msgpack.Decoder(Order)
    while True:
        head = source.read(LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            # Not sys.exit: the main thread may be deep in a decoder, and nobody waits for its answer any more.
            os._exit(0)
        orders.put(decoder.decode(source.read(int.from_bytes(head, "big"))))


def _confine(memory_bytes: int) -> None:
    # Ctrl-C and a stop signal to the group are for the parent, which finishes what is under way, then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    allow_only_photo_loaders()


def main() -> None:
    """Serve orders until the input ends."""
    _confine(int(sys.argv[1]))
    # Keep the answers' pipe to ourselves: a library that prints must not garble the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    orders: SimpleQueue[Order] = SimpleQueue()
    threading.Thread(target=_read_orders, args=(sys.stdin.buffer, orders), daemon=True).start()
    encoder = msgspec.msgpack.Encoder()
    out.write(frame(b""))  # an empty frame: ready
    out.flush()
    while True:
        out.write(frame(encoder.encode(answer(orders.get()))))
        out.flush()


if __name__ == "__main__":
    main()
