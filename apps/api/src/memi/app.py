"""The ASGI application."""

import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import lru_cache
from typing import Any

from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins import InitPlugin
from litestar.plugins.pydantic import PydanticPlugin
from litestar.types import ASGIApp

from memi import parts
from memi.auth import routes as auth_routes
from memi.media import routes as media_routes
from memi.platform import docs, health
from memi.platform.admission import admit
from memi.platform.dependencies import DEPENDENCIES
from memi.platform.gateway import Gateway
from memi.platform.idempotency import Replayed, replay
from memi.platform.openapi import build_document
from memi.platform.problems import handle_exception
from memi.platform.runtime import Runtime
from memi.platform.settings import Environment, Settings
from memi.platform.validation import REQUEST_KINDS, parse
from memi.platform.version import VERSION
from memi.realtime.hub import Hub
from memi.usage.recorder import Recorder

RuntimeFactory = Callable[[], AbstractAsyncContextManager[Runtime]]


class _RequestDecoders(InitPlugin):
    """Decode request models ourselves, so that every wrong field is named in our words."""

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        def is_request_model(kind: Any) -> bool:
            return isinstance(kind, type) and issubclass(kind, REQUEST_KINDS)

        app_config.type_decoders = [(is_request_model, parse), *(app_config.type_decoders or [])]
        return app_config


class _Pydantic(PydanticPlugin):
    """Litestar's plugin for schemas; its decoders come after ours, and the first that fits is taken."""

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        super().on_app_init(app_config)
        app_config.plugins.append(_RequestDecoders())
        return app_config


def _settle_garbage_collection() -> None:
    """What was loaded by now stays: looking through it again and again would hold up requests by milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def create_litestar(settings: Settings, open_runtime: RuntimeFactory) -> Litestar:
    """The routed application, without the gateway."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        async with open_runtime() as runtime:
            app.state.runtime = runtime
            if settings.env is not Environment.TEST:  # tests open many applications in one process
                _settle_garbage_collection()
            async with runtime.adapters.get(Recorder).running(), runtime.adapters.get(Hub).running():
                yield

    app = Litestar(
        route_handlers=_route_handlers(),
        lifespan=[lifespan],
        dependencies=DEPENDENCIES,
        exception_handlers={Replayed: replay, Exception: handle_exception},
        before_request=admit,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=None,
        plugins=[_Pydantic()],
        logging_config=None,
        debug=False,
    )
    app.state.openapi = lru_cache(maxsize=1)(openapi_document)
    return app


def openapi_document() -> bytes:
    """The OpenAPI document, from an application made only to be described, so that it adds no routes of its own."""
    config = OpenAPIConfig(
        title="memi",
        version=VERSION,
        description="The backend of a second-hand fashion marketplace.",
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
    )
    app = Litestar(
        route_handlers=_route_handlers(), dependencies=DEPENDENCIES, openapi_config=config, plugins=[_Pydantic()]
    )
    return build_document(app)


def _route_handlers() -> list[Any]:
    return [
        Router("/api/v1", route_handlers=list(parts.ROUTERS)),
        *auth_routes.public_handlers,
        *media_routes.public_handlers,
        *docs.HANDLERS,
        *health.HANDLERS,
    ]


def create_app(settings: Settings, open_runtime: RuntimeFactory) -> ASGIApp:
    """What a server runs."""
    return Gateway(create_litestar(settings, open_runtime), settings)
