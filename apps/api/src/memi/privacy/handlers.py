"""What else happens when an account goes or comes back."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.auth.mails import MailKind, request_mail
from memi.auth.sessions import end_sessions
from memi.platform.events import in_transaction
from memi.privacy import exports
from memi.users.events import UserDeleted


@in_transaction(UserDeleted)
async def end_and_offer_return(event: UserDeleted, session: AsyncSession) -> None:
    """Every session ends, and a link to have it all back goes to the account's address."""
    await end_sessions(session, event.user_id, None, "account_deleted")
    await exports.withdraw(session, event.user_id)
    await request_mail(session, MailKind.RESTORE_ACCOUNT, event.user_id)
