"""One settings file, read from the environment.

Unset, the two URLs mean the embedded servers and a development instance. ``PROMPTSAAS_ENV=production``
demands everything that must not be guessed.
"""

from pathlib import Path

from promptsaas import __version__, embedded, environment

BASE_DIR = Path(__file__).resolve().parent.parent
PRODUCTION = environment.text("PROMPTSAAS_ENV", "development") == "production"
DEBUG = environment.flag("DEBUG", False)
PROCESS = environment.text("PROMPTSAAS_PROCESS", "web")
VERSION = environment.text("PROMPTSAAS_VERSION", __version__)

if PRODUCTION:
    SECRET_KEY = environment.text("SECRET_KEY")
    MASTER_KEYS = environment.words("MASTER_KEYS") or [environment.text("MASTER_KEY")]
    DATABASE_URL = environment.text("DATABASE_URL")
    REDIS_URL = environment.text("REDIS_URL")
    MIGRATION_DATABASE_URL = environment.text("MIGRATION_DATABASE_URL", DATABASE_URL)
    PUBLIC_URL = environment.text("PUBLIC_URL")
    ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS") or [environment.text("ALLOWED_HOSTS")]
else:
    _embedded = embedded.endpoints(environment.text("PROMPTSAAS_PROFILE", "demo"))
    SECRET_KEY = environment.text("SECRET_KEY", embedded.secret("secret_key"))
    MASTER_KEYS = environment.words(
        "MASTER_KEYS", environment.text("MASTER_KEY", embedded.secret("master_key"))
    )
    DATABASE_URL = environment.text("DATABASE_URL", _embedded.database_url)
    REDIS_URL = environment.text("REDIS_URL", _embedded.redis_url)
    MIGRATION_DATABASE_URL = environment.text(
        "MIGRATION_DATABASE_URL",
        environment.text("DATABASE_URL", _embedded.migration_database_url),
    )
    PUBLIC_URL = environment.text("PUBLIC_URL", "http://localhost:8000")
    ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver")

INSTALLED_APPS = [
    "promptsaas",
    "apps.core",
    "apps.audit",
    "apps.tenants",
    "apps.billing",
    "apps.providers",
    "apps.datasets",
    "apps.prompts",
    "apps.runs",
    "apps.gateway",
    "apps.batches",
    "apps.analytics",
    "apps.retention",
    "apps.notifications",
    "apps.dashboard",
    "apps.core.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_rq",
    "drf_spectacular",
    "guardian",
    "rest_framework",
    "template_partials",
]

MIDDLEWARE = [
    "apps.core.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.tenants.web.middleware.SessionActivityMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.core.middleware.ErrorMiddleware",
]

ROOT_URLCONF = "promptsaas.urls"
WSGI_APPLICATION = "promptsaas.wsgi.application"

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
    },
]

# Milliseconds that one statement may take, by kind of process.
_STATEMENT_TIMEOUT_MS = {"web": 5_000, "gateway": 2_000, "worker": 60_000, "cron": 60_000}
DATABASES = {
    "default": environment.database(
        DATABASE_URL, statement_timeout_ms=_STATEMENT_TIMEOUT_MS.get(PROCESS, 60_000)
    ),
    "owner": environment.database(MIGRATION_DATABASE_URL, statement_timeout_ms=600_000),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Grants are loaded once per request by apps.tenants.access, not through guardian's backend.
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]

AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.tenants.web.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
# Only in the browser session that signed up; elsewhere the link confirms and leads to sign-in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "apps.tenants.web.mfa_adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
# A code is good for half a minute before and after its own: clocks differ. Used codes are kept as long.
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "promptsaas"
MFA_FORMS = {
    "activate_totp": "apps.tenants.web.mfa_forms.ActivateTOTPForm",
    "authenticate": "apps.tenants.web.mfa_forms.CodeForm",
    "reauthenticate": "apps.tenants.web.mfa_forms.CodeAgainForm",
    "add_webauthn": "apps.tenants.web.mfa_forms.AddPasskeyForm",
    "edit_webauthn": "apps.tenants.web.mfa_forms.RenamePasskeyForm",
    "authenticate_webauthn": "apps.tenants.web.mfa_forms.PasskeyForm",
    "reauthenticate_webauthn": "apps.tenants.web.mfa_forms.PasskeyAgainForm",
    "login_webauthn": "apps.tenants.web.mfa_forms.PasskeySignInForm",
}

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / ".promptsaas" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG

EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
EMAIL_URL = environment.text("EMAIL_URL", "")
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "promptsaas <no-reply@localhost>")

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = False
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "apps.core.web.errors.csrf_failure"
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# Larger files go to the temporary folder as they come in, and from there into the database.
FILE_UPLOAD_HANDLERS = [
    "apps.core.uploads.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
TRUSTED_PROXIES = environment.words("TRUSTED_PROXIES", "" if PRODUCTION else "127.0.0.1,::1")
OUTBOUND_ALLOWED_HOSTS = environment.words("OUTBOUND_ALLOWED_HOSTS")

RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 120, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in ("default", "interactive", "bulk")
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.api.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.core.openapi_schema.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    # `format` is an ordinary parameter of ours, not a choice of renderer.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "promptsaas API",
    "DESCRIPTION": "Manage, release and run prompts.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [
        "apps.gateway.openapi.document_gateway",
        "apps.core.openapi.document_errors",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

ENTITLEMENTS = "apps.billing.admission.can"
# Who reads datasets: pairs of a function that counts and one that lists; see apps/datasets/uses.py.
DATASET_USES = [("apps.batches.queries.count_dataset_uses", "apps.batches.queries.list_dataset_uses")]
OUTBOX_HANDLERS = {"": "apps.notifications.fan_out.hand_on"}
# Per API key. Every gateway process counts in the same place while Redis is there.
GATEWAY_REQUESTS_PER_MINUTE = environment.number("GATEWAY_REQUESTS_PER_MINUTE", 6_000)
# The same of the rest of the API, there per key or member.
API_REQUESTS_PER_MINUTE = environment.number("API_REQUESTS_PER_MINUTE", 1_200)
# Keeping the recorder's plan needs a session, or a pooler that follows prepared statements.
DATABASE_PREPARED_STATEMENTS = environment.flag("DATABASE_PREPARED_STATEMENTS", True)
# Calls that one worker keeps in flight for batches; it shares them out among all organizations.
BATCH_PUMP_SLOTS = environment.number("BATCH_PUMP_SLOTS", 256)
# Runs in flight get so long at a stop; six seconds later what has not ended is killed.
GATEWAY_DRAIN_SECONDS = environment.number("GATEWAY_DRAIN_SECONDS", 7)
# Where Prometheus asks; each process has an address of its own, and none is public. Empty: nowhere.
METRICS_ADDRESS = environment.text("METRICS_ADDRESS", "")
METRICS_TOKEN = environment.text("METRICS_TOKEN", "")
# So many prompts have figures of their own in each server, the rest are "other". Analytics knows them all.
METRICS_PROMPTS = environment.number("METRICS_PROMPTS", 200)
OPENAI_API_KEY = environment.text("OPENAI_API_KEY", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "apps.core.logs.JSONFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["console"], "level": environment.text("LOG_LEVEL", "INFO")},
    "loggers": {
        # Refusals have a line of our own, which holds no value from the address.
        "django.request": {"level": "ERROR"},
        # These tell whole addresses, at DEBUG whole requests: search words, invitations' links, prompts.
        **{
            name: {"level": "WARNING"}
            for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "anthropic")
        },
    },
}
