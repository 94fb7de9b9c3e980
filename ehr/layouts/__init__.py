"""One module a hospital layout: each maps its tables to the work tables of `ehr.hospital`; all else is common."""
