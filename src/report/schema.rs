//! The JSON Schemas of what the program prints for other programs.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::Document;
use super::fleet::FleetDocument;
use super::jsonl::Line;

/// The schema of a line of `--output jsonl`.
#[must_use]
pub fn of_lines() -> Schema {
    schema_of::<Line<'_>>("A line of bluegreen --output jsonl")
}

/// The schema of the document of `status --json`.
#[must_use]
pub fn of_status() -> Schema {
    schema_of::<Document<'_>>("The document of bluegreen status --json")
}

/// The schema of the document of `fleet status --json`.
#[must_use]
pub fn of_fleets() -> Schema {
    schema_of::<FleetDocument>("The document of bluegreen fleet status --json")
}

fn schema_of<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}
