"""``Authorization: Bearer <token>``; a session cookie opens nothing but the documentation."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from classifier.actors import client_address
from classifier.audit import Actor
from classifier.models import ApiToken, User
from classifier.services.tokens import authenticate_token, record_refused_token

SCHEME = "bearer"


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        token = authenticate_token(secret=secret.strip())
        if token is None:
            stranger = Actor(user=None, via="api", address=client_address(request))
            record_refused_token(actor=stranger, secret=secret.strip())
            # One answer for unknown, expired and revoked: a finder of a token learns nothing.
            raise AuthenticationFailed("This token is not valid.", code="token_invalid")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI description says of it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": SCHEME,
            "description": "An API token, made in your settings page; shown once, expiring, revocable.",
        }
