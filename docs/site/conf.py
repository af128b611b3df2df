"""Sphinx's settings for the site that docs/site/build.py builds."""

from __future__ import annotations

from otel_labelstudio import __version__

project = "otel_labelstudio"
version = release = __version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_argparse_cli"]
suppress_warnings = ["myst.xref_ambiguous"]

# The pages are Markdown as the repository shows it: links to headings work in both
myst_heading_anchors = 4
myst_links_external_new_tab = False

# Docstrings set code in single or double backticks
default_role = "code"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

# Furo loads no fonts, and its scripts and styles are copied into the site
html_theme = "furo"
html_title = f"otel_labelstudio {release}"
html_show_sphinx = False
html_copy_source = False
