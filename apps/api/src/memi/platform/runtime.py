"""What a process of memi runs with: made once in wiring, handed to routes, commands and jobs."""

from dataclasses import dataclass

from memi.platform.adapters import Adapters
from memi.platform.cursors import CursorSigner
from memi.platform.database import Database
from memi.platform.events import EventBus
from memi.platform.keyring import KeyRing
from memi.platform.pubsub import Broker
from memi.platform.settings import Settings
from memi.platform.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    key_ring: KeyRing
    database: Database
    bus: EventBus
    broker: Broker
    unit_of_work: UnitOfWork
    cursors: CursorSigner
    adapters: Adapters
