"""Column types that mean the same in every table."""

from datetime import datetime
from typing import Annotated

from sqlalchemy import DateTime, func
from sqlalchemy.orm import mapped_column

Timestamp = datetime
"""A point in time, always aware, UTC."""

CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now(), nullable=False)]
OptionalTimestamp = Annotated[datetime | None, mapped_column(DateTime(timezone=True), nullable=True)]
RequiredTimestamp = Annotated[datetime, mapped_column(DateTime(timezone=True), nullable=False)]
