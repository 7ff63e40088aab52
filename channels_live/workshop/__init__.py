"""`channels-live class`: a class in one command, on one computer, from what pip installs.

- `command` is what the instructor runs. It starts JupyterHub (`hubs`) and nginx before that
  (`front`), starts them again if they die, and has the learners' servers started before they come.
- `plan` says what cannot go well before anything is started: ports, addresses, names, memory, which
  `measure` measures. `certificate` is for TLS, and `shown` is what the instructor reads.
- `room` is the folder of a class: who sits where, codes, ports. With it, a class goes on after
  whatever has ended it.
- `hub` runs in JupyterHub, `seat` in each learner's Jupyter server.

JupyterHub is imported in `hub` and `seat` only: learners do not install it.
"""
