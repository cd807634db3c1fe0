//! Reads the definitions of tools and of response formats: names, descriptions, and the words inside JSON Schemas.
//!
//! Property names and types are not texts: an edit would change what the schema means. Invariant: a property that is
//! called `description` is not taken for a description.

use super::json::Kind;
use super::names::Name;
use super::reader::{At, Reader, Result};
use super::text::Channel;

/// Where the texts of a definition stand.
pub(super) struct Places {
    pub(super) whole: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: &'static str,
}

impl<'a> Reader<'a> {
    /// An object with `name`, `description` and a JSON Schema under `parameters` or `schema`; of a format, also its `type`.
    pub(super) fn definition(&mut self, places: &'static Places, at: At) -> Result<()> {
        self.each_member_of(places.whole, |reader, key| match key {
            Name::Name => reader.text(places.name, at, Channel::Definition),
            Name::Description => reader.text(places.description, at, Channel::Definition),
            Name::Parameters | Name::Schema => reader.schema(places.schema, at),
            Name::Type => reader.format_kind(),
            _ => reader.cursor.skip(),
        })
    }

    /// A JSON Schema, or a part of one.
    pub(super) fn schema(&mut self, place: &'static str, at: At) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Object => self.each_member(|reader, key| match key {
                Name::Title | Name::Description | Name::Comment => reader.words(place, at),
                Name::Enum | Name::Default | Name::Const | Name::Examples => {
                    reader.leaves(place, at, Channel::Definition)
                }
                Name::Properties
                | Name::PatternProperties
                | Name::Defs
                | Name::Definitions
                | Name::DependentSchemas => {
                    reader.each_member_of(place, |reader, _| reader.schema(place, at))
                }
                _ => reader.subschema(place, at),
            }),
            _ => self.nothing_at(place),
        }
    }

    /// A string that explains; a value of another type is taken for a schema whose parent is no `properties`.
    fn words(&mut self, place: &'static str, at: At) -> Result<()> {
        match self.cursor.kind()? {
            Kind::String => self.text(place, at, Channel::Definition),
            _ => self.subschema(place, at),
        }
    }

    /// The value of any other keyword: a schema, a list that may hold schemas, or a plain value.
    fn subschema(&mut self, place: &'static str, at: At) -> Result<()> {
        match self.cursor.kind()? {
            Kind::Object => self.schema(place, at),
            Kind::Array => self.each_item(place, |reader, _| reader.subschema(place, at)),
            _ => self.cursor.skip(),
        }
    }
}
