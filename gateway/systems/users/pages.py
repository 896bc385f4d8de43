"""All pages of users: signing in, their own settings, and what an administrator does with them."""

from gateway.systems.users.oidc_pages import oidc_pages
from gateway.systems.users.own_pages import own_pages
from gateway.systems.users.sign_in_pages import choice_pages, enrol_pages, sign_in_pages
from gateway.systems.users.user_pages import USERS, user_pages
from gateway.web.systems import SystemPages

PAGES = SystemPages(
    (user_pages, own_pages, sign_in_pages, oidc_pages, enrol_pages, choice_pages), (USERS,)
)
