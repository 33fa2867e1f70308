"""What learners do outside a notebook: check, watch, reset, see progress, mend their tools."""
