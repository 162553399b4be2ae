"""A Django project with django-rq and django-tasks-rq; its whole configuration."""

import os

SECRET_KEY = 'of the tests'
DEBUG = True
ALLOWED_HOSTS = ['testserver']
USE_TZ = True
ROOT_URLCONF = 'site_urls'
DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'
INSTALLED_APPS = [
    'django.contrib.admin', 'django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions',
    'django.contrib.messages', 'django_rq', 'django_tasks',
]  # fmt: skip
MIDDLEWARE = [
    'django.contrib.sessions.middleware.SessionMiddleware', 'django.contrib.auth.middleware.AuthenticationMiddleware',
    'django.contrib.messages.middleware.MessageMiddleware',
]  # fmt: skip
TEMPLATES = [
    {
        'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True,
        'OPTIONS': {'context_processors': [
            'django.template.context_processors.request', 'django.contrib.auth.context_processors.auth',
            'django.contrib.messages.context_processors.messages',
        ]},
    }
]  # fmt: skip
RQ_QUEUES = {
    name: {'URL': os.environ['ECOSYSTEM_URL'], 'DEFAULT_TIMEOUT': 60} for name in ('clock', 'default', 'tasks')
}
PASSWORD_HASHERS = ['django.contrib.auth.hashers.MD5PasswordHasher']
RQ_API_TOKEN = 'token'
TASKS = {'default': {'BACKEND': 'django_tasks_rq.RQBackend', 'QUEUES': ['tasks']}}
