//! Typed row numbers, so that a draft is never taken for a record.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

macro_rules! row_ids {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(
                /// The row number; stable for the life of the home, never reused.
                pub i64,
            );

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.fmt(f)
                }
            }

            impl ToSql for $name {
                fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                    self.0.to_sql()
                }
            }

            impl FromSql for $name {
                fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                    i64::column_result(value).map(Self)
                }
            }
        )*
    };
}

row_ids! {
    /// A project.
    ProjectId
    /// An installed form version (its row, not the form id of the XML).
    FormKey
    /// A file of an installed form version.
    FormFileId
    /// A record being filled.
    DraftId
    /// A finalised record.
    SubmissionId
    /// An attachment of a draft or a record.
    AttachmentId
}
