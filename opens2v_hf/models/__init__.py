"""Networks and judges, each loadable from a Hub id or a folder."""
