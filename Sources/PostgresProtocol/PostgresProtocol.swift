// PostgresProtocol
