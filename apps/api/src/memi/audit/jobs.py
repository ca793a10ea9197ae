"""Writes the end of the audit log's chain, signed, where whoever rules the database cannot change it: into the log."""

from datetime import timedelta

import structlog

from memi.audit import chain_queries
from memi.audit.chain import anchor_of
from memi.platform.jobs import recurring
from memi.platform.runtime import Runtime

log = structlog.get_logger(__name__)


@recurring(timedelta(hours=1))
async def write_anchor(runtime: Runtime) -> None:
    """Also when nothing was added, so that a missing hour tells that something is wrong."""
    async with runtime.unit_of_work() as session:
        head = await chain_queries.head_of(session)
    if head is None:
        log.error("audit_head_missing")
        return
    log.info("audit_anchor", entries=head.seq, anchor=str(anchor_of(head, runtime.key_ring)))
