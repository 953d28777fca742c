"""The floor: DuckDB reads both files and joins the calls by equal numbers and times. Runs in an environment of its own."""

import sys

import duckdb

QUERY = """
select count(*), sum(l.charge - c.charge)
from read_csv('{0}/local.csv', columns={columns}, header=true) l
join read_csv('{0}/customer.csv', columns={columns}, header=true) c using (caller, callee, start_time)
"""
COLUMNS = (
    "{'id': 'BIGINT', 'caller': 'BIGINT', 'callee': 'BIGINT', 'start_time': 'TIMESTAMP', 'duration': 'BIGINT', 'billed': 'BIGINT', "
    "'rate': 'DECIMAL(9,4)', 'charge': 'DECIMAL(18,6)'}"
)

if __name__ == "__main__":
    print(duckdb.sql(QUERY.format(sys.argv[1], columns=COLUMNS)).fetchall())
