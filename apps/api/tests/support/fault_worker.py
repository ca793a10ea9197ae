"""A worker process that also runs the handlers of `support.fault_handlers`; its database is the first argument."""

import asyncio
import sys

from memi import parts
from memi.platform.settings import load_settings
from memi.worker import run_worker
from support import fault_handlers

parts.HANDLERS.append(fault_handlers)
asyncio.run(run_worker(load_settings(), sys.argv[1]))
