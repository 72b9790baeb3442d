"""Published studies, each with its own assumptions and its own arithmetic, errors included."""
