//! What may be wrong with the log.

use super::chain::Link;

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The line does not match its own hash.
    #[error("the record was changed after it was written")]
    Changed,
    /// Numbers before the line are missing.
    #[error("the records from number {first} to {last} are missing before this one")]
    Missing {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// The line is not tied to the line before it, whose number fits.
    #[error("the record before this one was changed or replaced together with its hash")]
    Replaced,
    /// The number does not come after that of the line before.
    #[error("the record is not in its place: it comes after number {found_before}")]
    Misplaced {
        /// The number that it does follow.
        found_before: u64,
    },
    /// What stands before the first line is not there, and nothing tells of its removal.
    #[error("the beginning of the log is missing, and nothing tells that it was removed for its age")]
    BeginningMissing,
    /// A line is not chained where every record is.
    #[error("the line carries no hash where every record has one, or is not a record")]
    NotChained,
    /// The file ends in the middle of a line, and is not the last.
    #[error("the last line is not whole")]
    Torn,
    /// The head knows of later records.
    #[error("the end of the log is missing: it goes to number {last}")]
    EndMissing {
        /// The last number that was written.
        last: u64,
    },
    /// The head knows another record under that number.
    #[error("the record is not the one that was written under its number")]
    NotTheOneWritten,
    /// The file cannot be decompressed.
    #[error("the file cannot be read to its end")]
    Unreadable,
    /// The head cannot be read.
    #[error("the head of the log was not written by the server")]
    HeadUnreadable,
    /// There is no head beside chained records.
    #[error(
        "the head of the log, which tells how far it goes, is missing: records may have been removed from the end \
         with it. Compare the newest record with what was noted elsewhere (--expect); the next start of the server \
         records this and goes on"
    )]
    HeadMissing,
    /// The record tells that there was none when the server started.
    #[error(
        "when the server started before this record, the head of the log was missing: whether records before this \
         one were removed cannot be told from the log alone (--expect)"
    )]
    HeadWasMissing,
    /// A record that was noted elsewhere is not there.
    #[error(
        "the record that was noted elsewhere is not in the log: it was removed, if not for its age, or the log was \
         replaced"
    )]
    ExpectedMissing,
    /// A record that was noted elsewhere has another hash.
    #[error("the record has another hash than the one that was noted elsewhere: the log was written anew")]
    ExpectedOther,
}

impl FaultKind {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing { .. } => "missing",
            Self::Replaced => "replaced",
            Self::Misplaced { .. } => "misplaced",
            Self::BeginningMissing => "beginning_missing",
            Self::NotChained => "not_chained",
            Self::Torn => "torn",
            Self::EndMissing { .. } => "end_missing",
            Self::NotTheOneWritten => "not_the_one_written",
            Self::Unreadable => "unreadable",
            Self::HeadUnreadable => "head_unreadable",
            Self::HeadMissing => "head_missing",
            Self::HeadWasMissing => "head_was_missing",
            Self::ExpectedMissing => "expected_missing",
            Self::ExpectedOther => "expected_other",
        }
    }
}

/// Where what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the file.
    pub file: String,
    /// The line, from 1; zero when it is about the whole file.
    pub line: u64,
    /// The number of the record, when it has one.
    pub sequence: Option<u64>,
    /// What.
    pub kind: FaultKind,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Records whose place in the chain was checked.
    pub records: u64,
    /// Lines of the single file of older versions, from before there was a chain: nothing proves them.
    pub unchained: u64,
    /// Files.
    pub files: u64,
    /// Bytes that were looked at, decompressed.
    pub bytes: u64,
    /// The first and the last number.
    pub first_sequence: Option<u64>,
    /// The last number.
    pub last_sequence: Option<u64>,
    /// The newest record; worth noting elsewhere.
    pub newest: Option<Link>,
    /// Whether the log ends in the middle of a line, which the next start of the daemon mends.
    pub is_end_torn: bool,
    /// What is wrong, in the order of the log.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are told one by one.
    pub more_faults: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty()
    }
}
