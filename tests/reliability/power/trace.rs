//! What `tests/power/trace.c` wrote down, read back.

use std::ops::Range;
use std::path::PathBuf;

/// One call of the process, in the order of all.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file was made under a name that was free.
    Create { path: PathBuf, inode: u64 },
    /// A folder was made.
    MakeFolder { path: PathBuf, inode: u64 },
    /// Bytes were written at a place; where they stand in the log.
    Write { inode: u64, place: u64, bytes: Range<usize> },
    /// A file was cut, or made longer with zeros.
    Truncate { inode: u64, size: u64 },
    /// A file or a folder was synced.
    Sync { inode: u64 },
    /// A file or folder got another name.
    Rename { from: PathBuf, to: PathBuf },
    /// A name was taken away, of a file or an empty folder.
    Unlink { path: PathBuf },
    /// A file got one more name.
    Link { from: PathBuf, to: PathBuf },
    /// The process said something on its standard output.
    Said { bytes: Range<usize> },
}

/// A whole trace.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) ops: Vec<Op>,
    pub(crate) log: Vec<u8>,
}

impl Trace {
    /// Reads a log; a last line that was cut off is left out.
    pub(crate) fn read(log: Vec<u8>) -> Self {
        let mut ops = Vec::new();
        let mut at = 0;
        while let Some((op, end)) = line(&log, at) {
            ops.extend(op);
            at = end;
        }
        Self { ops, log }
    }
}

const HEAD: usize = 40;

/// The line at `at`, and where the next begins. An unknown kind is a fault of this harness.
fn line(log: &[u8], at: usize) -> Option<(Option<Op>, usize)> {
    let head = log.get(at..at + HEAD)?;
    let small = |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().unwrap());
    let large = |from: usize| u64::from_le_bytes(head[from..from + 8].try_into().unwrap());
    let (kind, inode, number) = (small(0), large(16), large(24));
    let path_end = at + HEAD + small(4) as usize;
    let other_end = path_end + small(8) as usize;
    let end = other_end + large(32) as usize;
    let text = |range: Range<usize>| Some(PathBuf::from(std::str::from_utf8(log.get(range)?).ok()?));
    let path = text(at + HEAD..path_end)?;
    let other = text(path_end..other_end)?;
    log.get(other_end..end)?;
    let bytes = other_end..end;
    let op = match kind {
        1 => Op::Create { path, inode },
        2 => Op::MakeFolder { path, inode },
        3 => Op::Write { inode, place: number, bytes },
        4 => Op::Truncate { inode, size: number },
        5 => Op::Sync { inode },
        6 => {
            assert_eq!(number, 0, "a rename with flags is not modelled");
            Op::Rename { from: path, to: other }
        }
        7 | 8 => Op::Unlink { path },
        9 => Op::Link { from: path, to: other },
        10 => Op::Said { bytes },
        other => panic!("a line of kind {other} in the trace"),
    };
    Some((Some(op), end))
}
