"""What every routed request passes before its handler: who calls, what they send, and whether they sent it before."""

from memi.platform import idempotency
from memi.platform.dependencies import AnyRequest, refuse_what_is_not_declared
from memi.platform.request_state import state_of


async def admit(request: AnyRequest) -> None:
    """Raises whatever refuses the request; returns for its handler to run."""
    await refuse_what_is_not_declared(request)
    state = state_of(request.scope)
    if state.checked and state.principal is not None:
        await idempotency.begin(request, state.principal.user_id)
