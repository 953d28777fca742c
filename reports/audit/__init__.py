"""Shows an audit of two bills: on the screen, as JSON, workbook, page and statement."""
