// CaromPostgres
