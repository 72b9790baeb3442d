"""What people see of a run: terminal, report, figures, ranking of a sweep."""
