"""An evening as a whole: which session it belongs to, when its jobs are planned, and when its picks will be ready."""
