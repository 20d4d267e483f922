"""Virtual time: what a program, or a policy, would do on given hardware."""
