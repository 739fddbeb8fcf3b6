"""What a process needs before it works: pins, threads, the repository, errors."""
