"""Every setting of the portal, read from the environment; `.env.example` documents each name.

Two modes share all code. ``embedded`` (the default: a laptop, no servers) has a working value for
everything; ``production`` has none for secrets and addresses and refuses to start without them.
"""

import os
import secrets
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from mri_portal import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Mode and places -------------------------------------------------------------------------
MODE = env.choice("PORTAL_MODE", "embedded", ["embedded", "production"])
PRODUCTION = MODE == "production"
DATA_DIR = Path(env.text("PORTAL_DATA_DIR", str(BASE_DIR / "var"))).resolve()
BUNDLES_DIR = Path(env.text("PORTAL_BUNDLES_DIR", str(BASE_DIR / "ml" / "bundles"))).resolve()
HOST = env.text("PORTAL_HOST", "127.0.0.1")
PORT = env.integer("PORTAL_PORT", 8000, minimum=1, maximum=65535)
WEB_PROCESSES = env.integer("PORTAL_WEB_PROCESSES", 1, minimum=1, maximum=64)
WEB_THREADS = env.integer("PORTAL_WEB_THREADS", 8, minimum=1, maximum=256)
if not PRODUCTION:
    env.private_folder("PORTAL_DATA_DIR", DATA_DIR)


def _embedded_secret_key() -> str:
    """The laptop's own key, made once; production never reaches this."""
    path = DATA_DIR / "secret_key"
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
            handle.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text(encoding="utf-8")


def _needed(name: str, embedded_default: str) -> str:
    """Production must be told it."""
    return env.text(name) if PRODUCTION else env.text(name, embedded_default)


# --- Secrets and hosts -------------------------------------------------------------------------
SECRET_KEY = _needed("PORTAL_SECRET_KEY", "")
if PRODUCTION and len(SECRET_KEY) < 50:
    raise ImproperlyConfigured("PORTAL_SECRET_KEY must have at least 50 characters in production.")
SECRET_KEY = SECRET_KEY or _embedded_secret_key()
DEBUG = False
ALLOWED_HOSTS = (
    env.words("PORTAL_ALLOWED_HOSTS")
    if PRODUCTION
    else env.words("PORTAL_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
)
if PRODUCTION and "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("PORTAL_ALLOWED_HOSTS must name the hosts; '*' is not accepted.")
CSRF_TRUSTED_ORIGINS = env.words("PORTAL_TRUSTED_ORIGINS", "")

# --- Application -------------------------------------------------------------------------------
INSTALLED_APPS = [
    "mri_portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "classifier",
]
MIDDLEWARE = [
    "classifier.pages.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "classifier.pages.middleware.PreferencesMiddleware",
    # Before the CSRF check, which reads the body: nobody sends files without having signed in.
    "classifier.pages.middleware.BoundedBodyMiddleware",
    "classifier.pages.middleware.SignInMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "classifier.pages.middleware.UserFacingErrorMiddleware",
]
ROOT_URLCONF = "mri_portal.urls"
WSGI_APPLICATION = "mri_portal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Database: the truth -----------------------------------------------------------------------
DATABASE_URL = _needed("DATABASE_URL", f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")
POSTGRESQL, SQLITE = "django.db.backends.postgresql", "django.db.backends.sqlite3"


def _database(url: str) -> dict[str, Any]:
    try:
        database: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
    except (ValueError, dj_database_url.ParseError):
        database = {}
    if database.get("ENGINE") not in {POSTGRESQL, SQLITE} or not database["NAME"]:
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgresql://user:password@host:5432/name or sqlite:///path."
        )
    # The password alone may come from a secret file: DATABASE_PASSWORD_FILE.
    return database | {"PASSWORD": env.text("DATABASE_PASSWORD", database["PASSWORD"])}


DATABASES = {"default": _database(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == SQLITE:
    if PRODUCTION:
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database in production.")
    DATABASES["default"]["OPTIONS"] = {
        # https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # A database that is away is told of in seconds, not after the kernel's two minutes.
    DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, **DATABASES["default"].get("OPTIONS", {})}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Time limits: all derived from one number, soft < hard < lease < visibility ---------------
TIME_LIMIT_S = env.integer("PORTAL_TIME_LIMIT_S", 60, minimum=1, maximum=3600)
_MARGIN_S = max(2, TIME_LIMIT_S // 4)
HARD_TIME_LIMIT_S = TIME_LIMIT_S + _MARGIN_S
LEASE = timedelta(seconds=HARD_TIME_LIMIT_S + _MARGIN_S)
SWEEP_INTERVAL_S = env.integer("PORTAL_SWEEP_INTERVAL_S", 60 if PRODUCTION else 10, minimum=1, maximum=600)
MAX_ATTEMPTS = 3
RING_AGAIN_AFTER = timedelta(seconds=2 * SWEEP_INTERVAL_S)

# --- Queue: the doorbell -------------------------------------------------------------------------
BROKER_URL = _needed("BROKER_URL", "filesystem://")
_BROKER_SCHEME = urlsplit(BROKER_URL).scheme
if _BROKER_SCHEME not in {"redis", "rediss", "filesystem"}:
    raise ImproperlyConfigured("BROKER_URL must begin with redis://, rediss:// or filesystem://.")
if PRODUCTION and _BROKER_SCHEME == "filesystem":
    raise ImproperlyConfigured("BROKER_URL must name a Redis server in production.")
QUEUE = env.matching("PORTAL_QUEUE", "portal", r"[a-z][a-z0-9-]{0,30}", "small letters, digits and hyphens")
WORKERS = env.integer("PORTAL_WORKERS", 2, minimum=1, maximum=64)

CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_DEFAULT_QUEUE = QUEUE
# The sweep has a queue of its own: workers take from both in turn, so that it never waits behind a backlog.
SWEEP_QUEUE = f"{QUEUE}-sweep"
CELERY_TASK_QUEUES: dict[str, dict[str, Any]] = {QUEUE: {}, SWEEP_QUEUE: {}}
CELERY_TASK_ROUTES = {"classifier.tasks.sweep": {"queue": SWEEP_QUEUE}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
# The sweeper brings a lost analysis back, with its attempts counted.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_SOFT_TIME_LIMIT = TIME_LIMIT_S
CELERY_TASK_TIME_LIMIT = HARD_TIME_LIMIT_S
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_PUBLISH_RETRY = False  # a missed ring costs one sweep; an upload must not wait for the broker
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60  # loading a model takes longer than the default 4 s on a busy machine
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TIMEZONE = "UTC"
# What workers that were away have missed is not swept again and again. The sweeper's clock writes when that
# is and each worker's reads it, so they may differ by some minutes.
CLOCKS_APART_S = 900
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "classifier.tasks.sweep",
        "schedule": SWEEP_INTERVAL_S,
        "options": {"expires": SWEEP_INTERVAL_S + CLOCKS_APART_S},
    }
}
SWEEPER_RANG = DATA_DIR / "sweeper-rang"
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # one interval needs no memory on disk, nor a lock on it
if _BROKER_SCHEME == "filesystem":
    _QUEUE_DIR = DATA_DIR / "queue"
    for _folder in ("messages", "control"):
        (_QUEUE_DIR / _folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT = "mri_portal.doorbell:Transport"
    CELERY_BROKER_URL = "filesystem://localhost//"  # kombu warns of a missing host, though it needs none
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_QUEUE_DIR / "messages"),
        "data_folder_out": str(_QUEUE_DIR / "messages"),
        "control_folder": str(_QUEUE_DIR / "control"),
        "polling_interval": 0.02,
    }
else:
    CELERY_BROKER_TRANSPORT = "mri_portal.redis_doorbell:Transport"
    # kombu alone would take any certificate.
    CELERY_BROKER_USE_SSL = {"ssl_cert_reqs": ssl.CERT_REQUIRED} if _BROKER_SCHEME == "rediss" else False
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": int(LEASE.total_seconds()) * 2,
        # A web request rings once; without a limit kombu would try for ever to reach a broker that is away.
        "max_retries": 0,
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "global_keyprefix": env.text("PORTAL_REDIS_PREFIX", "portal:"),
    }

# --- Cache: throttle counters, and a department's figures for minutes -----------------------------
if _BROKER_SCHEME == "filesystem":
    CACHES: dict[str, dict[str, Any]] = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "classifier.throttling.ForgivingRedisCache",
            "LOCATION": BROKER_URL,
            "KEY_PREFIX": env.text("PORTAL_REDIS_PREFIX", "portal:"),
            "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
        }
    }

# --- Files -----------------------------------------------------------------------------------------
STORAGE = env.choice("PORTAL_STORAGE", "local", ["local", "s3"])
SCANS_DIR = DATA_DIR / "scans"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "classifier.storage.LocalScanStorage"},
    "staticfiles": {"BACKEND": "mri_portal.static_files.PortalStaticFilesStorage"},
}
if STORAGE == "s3":
    # https://django-storages.readthedocs.io/en/stable/backends/amazon-S3.html
    STORAGES["default"] = {
        "BACKEND": "classifier.storage.ObjectScanStorage",
        "OPTIONS": {
            "bucket_name": env.text("PORTAL_S3_BUCKET"),
            "endpoint_url": env.text("PORTAL_S3_ENDPOINT_URL", "") or None,
            "region_name": env.text("PORTAL_S3_REGION", "") or None,
            "access_key": env.text("PORTAL_S3_ACCESS_KEY_ID"),
            "secret_key": env.text("PORTAL_S3_SECRET_ACCESS_KEY"),
        },
    }
MAX_UPLOAD_BYTES = env.integer("PORTAL_MAX_UPLOAD_MB", 64, minimum=1, maximum=4096) * 2**20
MAX_UPLOAD_TOTAL_BYTES = env.integer("PORTAL_MAX_UPLOAD_TOTAL_MB", 2048, minimum=1, maximum=65536) * 2**20
MAX_UPLOAD_FILES = env.integer("PORTAL_MAX_UPLOAD_FILES", 1000, minimum=1, maximum=5000)
REMOVE_IDENTITY = env.boolean("PORTAL_REMOVE_IDENTITY", False)
MAX_IMAGE_PIXELS = env.integer("PORTAL_MAX_IMAGE_MEGAPIXELS", 64, minimum=1, maximum=1000) * 1_000_000
PICTURE_CACHE_BYTES = env.integer("PORTAL_PICTURE_CACHE_MB", 256, minimum=1, maximum=65536) * 2**20


def _spool() -> Path | None:
    """On the data's disk: /tmp is often memory, and an upload may be large.

    None, the system's own folder, for a process that has no such disk, as one that takes no uploads.
    """
    folder = DATA_DIR / "spool"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
DATA_UPLOAD_MAX_NUMBER_FILES = MAX_UPLOAD_FILES
FILE_UPLOAD_HANDLERS = [
    "classifier.uploads.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "classifier.uploads.SpoolUploadHandler",
]
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
FILE_UPLOAD_TEMP_DIR = _spool()
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# --- Sign-in and sessions --------------------------------------------------------------------------
AUTH_USER_MODEL = "classifier.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 12}  # type: ignore[assignment]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "login"
# https://django-axes.readthedocs.io/en/latest/4_configuration.html
AXES_FAILURE_LIMIT = env.integer("PORTAL_LOCKOUT_ATTEMPTS", 5, minimum=1, maximum=100)
AXES_COOLOFF_TIME = timedelta(minutes=env.integer("PORTAL_LOCKOUT_MINUTES", 15, minimum=1, maximum=1440))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_CALLABLE = "classifier.pages.accounts.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "next"]  # where one wanted to go may name a patient
AXES_ENABLE_ADMIN = False
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are AuditEvents
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "classifier.actors.client_address"
SESSION_COOKIE_AGE = env.integer("PORTAL_SESSION_MINUTES", 30, minimum=1, maximum=1440) * 60
SESSION_SAVE_EVERY_REQUEST = False  # `SignInMiddleware` tells use from pages that refresh themselves
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "classifier.pages.errors.csrf_failed"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION

# --- Transport and content security ------------------------------------------------------------
BEHIND_PROXY = env.boolean("PORTAL_BEHIND_PROXY", PRODUCTION)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = env.integer(
    "PORTAL_HSTS_SECONDS", 31_536_000 if PRODUCTION else 0, minimum=0, maximum=2**31
)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- REST API ------------------------------------------------------------------------------------
API_RATE = env.matching(
    "PORTAL_API_RATE",
    "600/min",
    r"[1-9]\d*/(sec|min|hour|day)",
    "a number, a slash and sec, min, hour or day",
)
PREDICT_WAIT_S = 30  # below the web server's own time-outs in gunicorn_conf
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["classifier.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["classifier.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["classifier.throttling.TokenRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"token": API_RATE},
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["classifier.api.parsers.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "classifier.api.problems.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "MRI portal API",
    "DESCRIPTION": (
        "Upload brain MRI, read the analysis, record the review. Research use only, not a medical device."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "OutcomeEnum": "classifier.models.analysis.Outcome",
        "LabelEnum": "classifier.models.analysis.Label",
        "AnswerEnum": "classifier.models.reading.Answer",
        "AnalysisStatusEnum": "classifier.models.analysis.Analysis.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "classifier.api.schema.describe_problems",
    ],
}

# --- Language, time, static files, logs ------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["mri_portal.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.time_zone("PORTAL_TIME_ZONE", "UTC")
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("PORTAL_STATIC_ROOT", str(DATA_DIR / "static")))
LOG_LEVEL = env.choice("PORTAL_LOG_LEVEL", "info", ["debug", "info", "warning", "error"]).upper()
_CHATTER_LEVEL = "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {
        # /readyz says 503 while a portal starts; that is its answer, not an error of the server.
        "not_503": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not_503"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "classifier": {"level": LOG_LEVEL},
        "mri_portal": {"level": LOG_LEVEL},
        "celery": {"level": LOG_LEVEL},
        # Several lines for every task and sweep; our own line says what became of an analysis.
        **{f"celery.{name}": {"level": _CHATTER_LEVEL} for name in ("app.trace", "worker.strategy", "beat")},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
