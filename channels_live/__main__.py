"""`python -m channels_live` is `channels-live`."""

import sys

from channels_live.cli import main

sys.exit(main())
