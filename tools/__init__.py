"""Tools of the trade, which are no part of the installed package: run them in the project's folder."""
