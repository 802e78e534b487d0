"""Real processes, killed and cut off at random: nothing lost, nothing twice."""
