"""The work of `smsward api`: the API in the foreground, or what to write so that there is one."""

from gateway.app.api import serve_api
from gateway.app.startup_log import tell_directories
from gateway.cli.deployment import Ground
from gateway.cli.failure import misused
from gateway.runtime.logging import LogLevel, configure_logging

_EXAMPLE = """\
write one, with the line of `smsward api new-token` for each client:
version: 1
address: "127.0.0.1:8080"
clients:
  - {name: shop, role: sp, system_id: shop, token: "sha256:…"}
  - {name: 营业厅, role: clerk, channels: [hall], token: "sha256:…"}"""


def serve_from(ground: Ground, log_level: str) -> int:
    """Serve until told to stop; return the exit code. Raises CommandError without api.yaml."""
    path = ground.config / "api.yaml"
    if not path.exists():
        raise misused(f"there is no {path}, so nobody may ask anything", _EXAMPLE)
    configure_logging(level=LogLevel(log_level))
    tell_directories(ground.config, ground.policies, are_shipped=ground.are_shipped)
    return serve_api(ground.config, ground.policies)
