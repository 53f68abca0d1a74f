"""What people are told about logs, machines and stacks."""
