"""Events sent to other programs: signed, in order for each subject, again until they arrive."""
