"""What plug-ins think of messages, after they were sent. Heard of while one is installed."""

from sqlalchemy.ext.asyncio import AsyncSession

from memi.chat import flag_queries, moderation_queries, queries
from memi.chat.events import MessageSent
from memi.intelligence import service as intelligence
from memi.intelligence.ports import CHAT_MODERATOR, ChatMessage
from memi.platform.events import durable

ASKS = (CHAT_MODERATOR,)


@durable(MessageSent)
async def review(event: MessageSent, session: AsyncSession) -> None:
    """Flag what somebody should look at. The message has been delivered, and stays as it is."""
    plugins = intelligence.intelligence_of(session)
    if not plugins.has(CHAT_MODERATOR):
        return
    message = await moderation_queries.message(session, event.message_id)
    chat = await queries.by_id(session, event.chat_id)
    if message is None or chat is None or message.words_erased_at is not None:
        return
    question = ChatMessage(text=message.body, number=message.seq, by_seller=message.sender_id == chat.seller_id)
    answer = await plugins.ask(CHAT_MODERATOR, question)
    await intelligence.record(session, answer, "MESSAGE", message.id, user_id=message.sender_id)
    for concern in answer.value.concerns if answer.value is not None else ():
        await flag_queries.add(session, message.id, concern.kind, "PLUGIN", concern.note)
