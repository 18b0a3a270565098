"""Reading over HTTP: an API and a web page. Needs the extra ``serve``."""
