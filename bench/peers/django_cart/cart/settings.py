"""Settings of the cart: what a deployment has, less all that one route does not need.

CART_POSTGRESQL is the database's URL, as postgresql://holdfast@127.0.0.1:5432/cart.
"""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["CART_POSTGRESQL"])

ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "USER": _database.username,
        "NAME": _database.path.lstrip("/"),
        "CONN_MAX_AGE": None,  # each thread keeps its connection
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 5},  # statements are prepared when they come again
    }
}
DEBUG = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["cart"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"standard_error": {"class": "logging.StreamHandler"}},
    # A refused buyer (409) is no news.
    "loggers": {"django.request": {"handlers": ["standard_error"], "level": "ERROR", "propagate": False}},
}
MIDDLEWARE = []  # no session, no cookie, nothing to protect from another site
ROOT_URLCONF = "cart.urls"
SECRET_KEY = "nothing is signed"
USE_I18N = False
USE_TZ = True
WSGI_APPLICATION = "cart.wsgi.application"
