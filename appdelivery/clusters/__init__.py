"""The only room that speaks to clusters: credentials, discovery, server-side apply, list, watch.  Implements Fleet."""
