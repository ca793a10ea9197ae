"""The providers that are configured: where to send a browser, and who came back from there."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from memi.auth.oauth_errors import CallbackRefused, ProviderNotConfigured, ProviderUnavailable
from memi.auth.oauth_http import Document, Kept, ProviderHttp
from memi.auth.oauth_id_tokens import Claims, IdTokens, PublicKeys
from memi.auth.oauth_settings import ProviderName, ProviderSettings, configured_providers, redirects
from memi.platform.settings import Settings

_METADATA_SECONDS = 3600.0
_KEYS_SECONDS = 3600.0
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Trip:
    """The secrets of one trip to a provider: they never leave this service but as it must be."""

    state: str
    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """The S256 code challenge (RFC 7636)."""
        return urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class Provider:
    """One provider, known by what its discovery document says."""

    def __init__(self, settings: ProviderSettings, http: ProviderHttp, callback_url: str) -> None:
        self.settings = settings
        self._http = http
        self._callback_url = callback_url
        self._metadata = Kept(self._read_metadata, _METADATA_SECONDS)
        self._tokens = IdTokens(settings.issuer, settings.client_id, Kept(self._read_keys, _KEYS_SECONDS))

    @property
    def name(self) -> ProviderName:
        return self.settings.name

    async def authorization_url(self, trip: Trip) -> str:
        """Where the browser goes; raises `ProviderUnavailable`."""
        endpoint = str((await self._metadata.get())["authorization_endpoint"])
        parameters = {
            "client_id": self.settings.client_id,
            "redirect_uri": self._callback_url,
            "response_type": "code",
            "scope": self.settings.scope,
            "state": trip.state,
            "nonce": trip.nonce,
            "code_challenge": trip.challenge,
            "code_challenge_method": "S256",
        }
        if self.settings.form_post:
            parameters["response_mode"] = "form_post"
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(parameters)}"

    async def check_sender(self, iss: str | None) -> None:
        """An answer says whose it is where the provider says so of itself (RFC 9207); raises `CallbackRefused`."""
        metadata = await self._metadata.get()
        required = metadata.get("authorization_response_iss_parameter_supported") is True
        if iss != self.settings.issuer and (iss is not None or required):
            raise CallbackRefused("iss")

    async def redeem(self, code: str, verifier: str, nonce: str) -> Claims:
        """Who came back with `code`, by the provider's signed word.

        Raises `CallbackRefused` for a code that is not this trip's, `ProviderUnavailable`.
        """
        metadata = await self._metadata.get()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback_url,
            "code_verifier": verifier,
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret(),
        }
        status, answer = await self._http.post(str(metadata["token_endpoint"]), form)
        if answer.get("error") in ("invalid_client", "unauthorized_client"):
            raise ProviderUnavailable("it refuses the client's id or secret")
        if status != 200:
            raise CallbackRefused("code")
        return await self._tokens.read(answer.get("id_token"), nonce)

    async def _read_metadata(self) -> Document:
        issuer = self.settings.issuer
        metadata = await self._http.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if metadata.get("issuer") != issuer:
            raise ProviderUnavailable(f"the document of {issuer} is another issuer's")
        if not all(self.settings.may_be_asked(metadata.get(name)) for name in _ENDPOINTS):
            raise ProviderUnavailable(f"the document of {issuer} lacks an address, or names one without TLS")
        return metadata

    async def _read_keys(self) -> PublicKeys:
        keys = PublicKeys.of(await self._http.get(str((await self._metadata.get())["jwks_uri"])))
        if not keys.keys:
            raise ProviderUnavailable(f"{self.settings.issuer} publishes no key")
        return keys


class Providers:
    """Every configured provider, and where signing in with them may lead back to."""

    def __init__(self, settings: Settings) -> None:
        configured = configured_providers(settings)
        self.redirects = redirects(settings)
        self._http = ProviderHttp() if configured else None
        self._by_name: dict[str, Provider] = {}
        for found in configured:
            assert self._http is not None
            callback_url = f"{settings.base_url}/api/v1/auth/oauth/{found.name}/callback"
            self._by_name[found.name] = Provider(found, self._http, callback_url)

    def get(self, name: str) -> Provider:
        """Raises `ProviderNotConfigured`."""
        provider = self._by_name.get(name)
        if provider is None:
            raise ProviderNotConfigured
        return provider

    @property
    def names(self) -> list[str]:
        return sorted(self._by_name)

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()
