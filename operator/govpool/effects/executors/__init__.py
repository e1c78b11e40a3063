"""What carries out work orders (工单): Ansible on real machines, or a simulation on fixture pools."""
