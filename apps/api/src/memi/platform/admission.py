"""What every routed request passes before its handler: who calls, what they send, and whether they sent it before."""

from memi.platform import idempotency
from memi.platform.dependencies import AnyRequest, provide_session, refuse_what_is_not_declared, runtime_of
from memi.platform.impersonation import ImpersonationLog, must_be_noted
from memi.platform.principal import Principal
from memi.platform.request_state import state_of


async def admit(request: AnyRequest) -> None:
    """Raises whatever refuses the request; returns for its handler to run."""
    await refuse_what_is_not_declared(request)
    state = state_of(request.scope)
    if state.checked and state.principal is not None:
        if state.principal.impersonator_id is not None:
            await _note(request, state.principal)
        await idempotency.begin(request, state.principal.user_id)


async def _note(request: AnyRequest, principal: Principal) -> None:
    """What is done in somebody else's place is written down in its own transaction."""
    if must_be_noted(request.method, request.route_handler):
        book = runtime_of(request).adapters.get(ImpersonationLog)  # pyright: ignore[reportAbstractUsage]
        await book.note(provide_session(request), principal, request.method, request.scope["path"])
