// Carom
