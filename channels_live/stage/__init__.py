"""The stage: a site's own pages and the conversation with its server, beside the notebook.

- `stage` and `conversation` run in the kernel. They say what is to be seen, and tell JupyterLab
  what happens, over a comm: it works wherever the notebook works, and needs no port.
- `lab/extension/` runs in JupyterLab and shows it.
- `extension`, `proxy`, `pages` and `rewrite` run in Jupyter's server. They bring a page there from
  the site, which listens where no browser may reach it. `in_page.js` runs in that page.
"""
