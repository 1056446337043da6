"""The training loop: precision, optimisers, schedules, checkpoints, held-out figures, monitoring, and the time budget."""
