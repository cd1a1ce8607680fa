"""The pages that people see, and what guards them."""
