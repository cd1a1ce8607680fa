"""The store in PostgreSQL 15 to 18: source of truth for deliveries, challenges, installations and the outbox."""
