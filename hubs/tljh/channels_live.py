"""For The Littlest JupyterHub: copy this to /opt/tljh/config/jupyterhub_config.d/channels_live.py.

TLJH reads it after config.yaml, with `c`. INSTRUCTORS.md tells what comes before.
"""

c = get_config()  # noqa: F821

# at lesson 0, of the learner's own copies, which are laid out as their server starts
c.Spawner.default_url = "/lab/tree/workspace/notebooks/00_start_here.ipynb"
c.Spawner.environment = {
    # in each learner's home, beside nothing of others; it is expanded there
    "CHANNELS_LIVE_WORKSPACE": "~/workspace",
    # all share one computer: port 8000 is nearly always somebody else's
    "CHANNELS_LIVE_ANY_PORT": "1",
}
# seconds: many who come at once make each start slow, and a slow one is no failure
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 120
