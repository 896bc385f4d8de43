"""People who may sign in (用户): their roles, links, passwords and second factors."""
