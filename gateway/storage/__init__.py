"""What all stores share: the database, its writer, seals, tables, migrations, journals."""
