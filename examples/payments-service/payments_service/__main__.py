"""`python -m payments_service`."""

import sys

import uvicorn

from payments_service.app import create_app
from payments_service.config import read_config


def main() -> None:
    try:
        config = read_config()
    except KeyError as error:
        sys.exit(f"Set {error.args[0]}; README.md says how.")
    print(f"Payments at {config.base_url}, telling {config.webhook_url}", flush=True)
    uvicorn.run(create_app(config), host="127.0.0.1", port=config.port, log_level="warning")


if __name__ == "__main__":
    main()
