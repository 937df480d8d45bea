-- columns: the columns of every table in the file.
--
-- Reads    nothing
-- Returns  one row per column
--   schema_name, table_name, column_name, data_type  VARCHAR
--   is_nullable                                      BOOLEAN
SELECT schema_name, table_name, column_name, data_type, is_nullable
FROM duckdb_columns()
WHERE NOT internal
