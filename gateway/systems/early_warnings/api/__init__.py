"""Warnings and sanctions over HTTP."""

from gateway.systems.early_warnings.api.sanctions import sanctions
from gateway.systems.early_warnings.api.warnings import early_warnings
from gateway.web.systems import SystemApi

API = SystemApi((early_warnings, sanctions))
