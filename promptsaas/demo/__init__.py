"""`make demo`: everything on one machine, with a sample organization and the main job."""
