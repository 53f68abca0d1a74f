"""The shell: observes, carries plans out, measures, keeps the journal and the lock."""
