"""The Django project, set up in the process that imports this: tables, an administrator, a logged in client."""

import os

os.environ['DJANGO_SETTINGS_MODULE'] = 'site_settings'

import django  # noqa: E402

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

setup_test_environment()  # templates tell their context
call_command('migrate', verbosity=0)
User.objects.create_superuser('admin', 'admin@example.com', 'password')
page = Client()
page.force_login(User.objects.get())
