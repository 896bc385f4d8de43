"""A subscriber who reports spam: over the HTTP API, by message, or on a page for a phone."""

from simulators.subscriber.client import ApiError, SubscriberApp
from simulators.subscriber.page import Phone, PhoneServer, SpamMessage

__all__ = ["ApiError", "Phone", "PhoneServer", "SpamMessage", "SubscriberApp"]
