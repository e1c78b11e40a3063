"""Work orders as Kubernetes Jobs: the operator's side, the runner's, and what goes between them."""
