//! Who looked: searching, the report for the patient, and that whoever reads is on record.
