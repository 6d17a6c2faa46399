# Copyright the Carom authors
# SPDX-License-Identifier: Apache-2.0
"""Settings for Django's own tests."""

import os


def _database(name):
    return {"ENGINE": "django.db.backends.postgresql", "NAME": "suite", "USER": os.environ["PGUSER"],
            "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"], "TEST": {"NAME": f"test_{name}"}}


DATABASES = {"default": _database("default"), "other": _database("other")}
SECRET_KEY = "suite"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "django_runner.Runner"
