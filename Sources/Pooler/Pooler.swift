// Pooler
