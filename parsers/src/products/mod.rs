//! One file per product whose lines need more than a template.
