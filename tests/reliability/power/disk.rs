//! A disk that may lose its power: what is surely on it, what is on its way, and the states that a cut may leave.
//!
//! Two models, because file systems differ. *Ordered* is a journalling file system such as ext4 with its usual settings:
//! changes of entries reach the disk in their order, a sync of anything carries all of them before it, and a file never ends
//! beyond the bytes that were written to it. *Weak* is what POSIX promises and no more: every entry needs the sync of its own
//! folder, entries reach the disk in any order, and a file that grew may hold zeros or an old block where bytes were to be.
//! In both, bytes that were not synced are there, gone or torn at a sector, each write for itself and in any order; what a
//! sync had returned for is there; renaming is one step.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use veldwerk_tests::dice::{Dice, bytes};

use super::trace::Op;

/// How much a disk promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    Ordered,
    Weak,
}

type NodeId = usize;
type Entries = BTreeMap<String, NodeId>;

#[derive(Clone, Debug)]
enum Node {
    File {
        durable: Rc<Vec<u8>>,
        pending: Vec<Change>,
    },
    /// Entries as the process sees them, and as they are surely on the disk.
    Folder {
        seen: Entries,
        durable: Entries,
    },
}

/// A change of a file that no sync has carried yet.
#[derive(Clone, Debug)]
enum Change {
    Write { place: u64, bytes: Range<usize> },
    Truncate { size: u64 },
}

/// A change of entries that no sync has carried yet: all of its parts at once.
#[derive(Clone, Debug)]
struct EntryChange(Vec<(NodeId, String, Option<NodeId>)>);

/// A disk during a run.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    model: Model,
    root: PathBuf,
    nodes: Vec<Node>,
    by_inode: HashMap<u64, NodeId>,
    pending: Vec<EntryChange>,
}

const ROOT: NodeId = 0;

impl Disk {
    /// A disk on which everything in `root` is there and synced.
    pub(crate) fn of(root: &Path, model: Model) -> Self {
        let mut disk =
            Self { model, root: root.to_owned(), nodes: Vec::new(), by_inode: HashMap::new(), pending: Vec::new() };
        disk.add(root);
        disk
    }

    fn add(&mut self, path: &Path) -> NodeId {
        let id = self.nodes.len();
        let metadata = fs::metadata(path).unwrap();
        self.by_inode.insert(inode(&metadata), id);
        if metadata.is_dir() {
            self.nodes.push(Node::Folder { seen: Entries::new(), durable: Entries::new() });
            let mut entries = Entries::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                entries.insert(entry.file_name().into_string().unwrap(), self.add(&entry.path()));
            }
            self.nodes[id] = Node::Folder { seen: entries.clone(), durable: entries };
        } else {
            self.nodes.push(Node::File { durable: Rc::new(fs::read(path).unwrap()), pending: Vec::new() });
        }
        id
    }

    pub(crate) fn model(&self) -> Model {
        self.model
    }

    /// What the process did next.
    pub(crate) fn carry_out(&mut self, op: &Op, log: &[u8]) {
        match op {
            Op::Create { path, inode } => {
                let node = self.new_node(*inode, Node::File { durable: Rc::default(), pending: Vec::new() });
                self.change_entries(vec![(path, Some(node))]);
            }
            Op::MakeFolder { path, inode } => {
                let node = Node::Folder { seen: Entries::new(), durable: Entries::new() };
                let node = self.new_node(*inode, node);
                self.change_entries(vec![(path, Some(node))]);
            }
            Op::Write { inode, place, bytes } => {
                self.change(*inode, Change::Write { place: *place, bytes: bytes.clone() });
            }
            Op::Truncate { inode, size } => self.change(*inode, Change::Truncate { size: *size }),
            Op::Sync { inode } => self.sync(*inode, log),
            Op::Rename { from, to } => {
                let node = self.find(from);
                self.change_entries(vec![(from, None), (to, node)]);
            }
            Op::Unlink { path } => self.change_entries(vec![(path, None)]),
            Op::Link { from, to } => {
                let node = self.find(from);
                self.change_entries(vec![(to, node)]);
            }
            Op::Said { .. } => {}
        }
    }

    fn new_node(&mut self, inode: u64, node: Node) -> NodeId {
        self.nodes.push(node);
        self.by_inode.insert(inode, self.nodes.len() - 1);
        self.nodes.len() - 1
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(Node::File { pending, .. }) = self.by_inode.get(&inode).map(|&node| &mut self.nodes[node]) {
            pending.push(change);
        }
    }

    fn change_entries(&mut self, changes: Vec<(&PathBuf, Option<NodeId>)>) {
        let mut parts = Vec::new();
        for (path, node) in changes {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // What comes from or goes to another folder than the one watched is only half seen here.
            let Some(folder) = path.parent().and_then(|folder| self.find(folder)) else { continue };
            if let Node::Folder { seen, .. } = &mut self.nodes[folder] {
                set(seen, &name, node);
            }
            parts.push((folder, name, node));
        }
        self.pending.push(EntryChange(parts));
    }

    fn sync(&mut self, inode: u64, log: &[u8]) {
        let Some(&node) = self.by_inode.get(&inode) else { return };
        if let Node::File { durable, pending } = &mut self.nodes[node]
            && !pending.is_empty()
        {
            let mut content = durable.to_vec();
            for change in pending.drain(..) {
                apply(&mut content, &change, log);
            }
            *durable = Rc::new(content);
        }
        let model = self.model;
        let carried = |change: &EntryChange| match model {
            Model::Ordered => true,
            Model::Weak => change.0.iter().any(|(folder, ..)| *folder == node),
        };
        let carried: Vec<EntryChange> = self.pending.extract_if(.., |change| carried(change)).collect();
        for change in &carried {
            for (folder, name, node) in &change.0 {
                if let Node::Folder { durable, .. } = &mut self.nodes[*folder] {
                    set(durable, name, *node);
                }
            }
        }
    }

    fn find(&self, path: &Path) -> Option<NodeId> {
        let mut at = ROOT;
        for component in path.strip_prefix(&self.root).ok()?.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Folder { seen, .. } = &self.nodes[at] else { return None };
            at = *seen.get(name.to_str()?)?;
        }
        Some(at)
    }

    /// One state that a cut at this moment may leave.
    pub(crate) fn cut(&self, dice: &mut Dice, log: &[u8]) -> State {
        let mut entries: HashMap<NodeId, Entries> = HashMap::new();
        for (id, node) in self.nodes.iter().enumerate() {
            if let Node::Folder { durable, .. } = node {
                entries.insert(id, durable.clone());
            }
        }
        let share = dice.unit_or_end();
        let arrived: Vec<bool> = match self.model {
            Model::Ordered => {
                let n = (share * self.pending.len() as f64).round() as usize;
                (0..self.pending.len()).map(|position| position < n).collect()
            }
            Model::Weak => self.pending.iter().map(|_| dice.chance(share)).collect(),
        };
        for (change, _) in self.pending.iter().zip(arrived).filter(|(_, arrived)| *arrived) {
            for (folder, name, node) in &change.0 {
                if let Some(entries) = entries.get_mut(folder) {
                    set(entries, name, *node);
                }
            }
        }
        let mut files = BTreeMap::new();
        let mut folders = Vec::new();
        self.collect(ROOT, Path::new(""), &entries, &mut files, &mut folders);
        let mut contents = HashMap::new();
        let files = files.into_iter().map(|(path, id)| {
            let content = contents.entry(id).or_insert_with(|| self.content(id, dice, log));
            (path, Rc::clone(content))
        });
        State { files: files.collect(), folders }
    }

    /// What a kill would leave: everything that was done.
    pub(crate) fn as_seen(&self, log: &[u8]) -> State {
        let seen = self.nodes.iter().enumerate().filter_map(|(id, node)| match node {
            Node::Folder { seen, .. } => Some((id, seen.clone())),
            Node::File { .. } => None,
        });
        let (mut files, mut folders) = (BTreeMap::new(), Vec::new());
        self.collect(ROOT, Path::new(""), &seen.collect(), &mut files, &mut folders);
        let whole = |id: NodeId| {
            let Node::File { durable, pending } = &self.nodes[id] else { return Rc::default() };
            let mut content = durable.to_vec();
            pending.iter().for_each(|change| apply(&mut content, change, log));
            Rc::new(content)
        };
        State { files: files.into_iter().map(|(path, id)| (path, whole(id))).collect(), folders }
    }

    fn collect(
        &self,
        folder: NodeId,
        path: &Path,
        entries: &HashMap<NodeId, Entries>,
        files: &mut BTreeMap<PathBuf, NodeId>,
        folders: &mut Vec<PathBuf>,
    ) {
        for (name, &node) in entries.get(&folder).into_iter().flatten() {
            let path = path.join(name);
            match &self.nodes[node] {
                Node::File { .. } => drop(files.insert(path, node)),
                Node::Folder { .. } => {
                    folders.push(path.clone());
                    self.collect(node, &path, entries, files, folders);
                }
            }
        }
    }

    /// The bytes of a file after the cut.
    fn content(&self, file: NodeId, dice: &mut Dice, log: &[u8]) -> Rc<Vec<u8>> {
        let Node::File { durable, pending } = &self.nodes[file] else { return Rc::default() };
        if pending.is_empty() {
            return Rc::clone(durable);
        }
        let share = dice.unit_or_end();
        let sector = if dice.chance(0.5) { 512 } else { 4096 };
        let tears = dice.chance(0.5);
        let mut content = durable.to_vec();
        match self.model {
            Model::Ordered => self.ordered(&mut content, pending, share, tears.then_some(sector), dice, log),
            Model::Weak => weak(&mut content, pending, share, tears.then_some(sector), dice, log),
        }
        Rc::new(content)
    }

    /// Bytes over old ones in any order; what lies beyond the old end only as far as it was written without a gap.
    fn ordered(
        &self,
        content: &mut Vec<u8>,
        pending: &[Change],
        share: f64,
        sector: Option<u64>,
        dice: &mut Dice,
        log: &[u8],
    ) {
        // How long the file is, is an entry of the journal: some moment between the last sync and the cut.
        let sizes: Vec<u64> = std::iter::once(content.len() as u64)
            .chain(pending.iter().scan(content.len() as u64, |size, change| {
                *size = match change {
                    Change::Write { place, bytes } => (*size).max(place + bytes.len() as u64),
                    Change::Truncate { size } => *size,
                };
                Some(*size)
            }))
            .collect();
        let moment = (share * (sizes.len() - 1) as f64).round() as usize;
        let mut whole = content.clone();
        for change in pending.iter().take(moment) {
            apply(&mut whole, change, log);
        }
        // Within the old length each piece may be old or new, those of later changes too.
        let old_end = content.len().min(whole.len());
        let mut mixed = whole;
        mixed[..old_end].copy_from_slice(&content[..old_end]);
        for change in pending {
            if let Change::Write { place, bytes } = change {
                for (place, piece) in pieces(*place, bytes, sector) {
                    let end = place as usize + piece.len();
                    if end <= old_end && dice.chance(share) {
                        mixed[place as usize..end].copy_from_slice(&log[piece]);
                    }
                }
            }
        }
        *content = mixed;
    }
}

/// Each write, and each of its sectors, for itself; where the file grew and nothing arrived, zeros or an old block.
fn weak(content: &mut Vec<u8>, pending: &[Change], share: f64, sector: Option<u64>, dice: &mut Dice, log: &[u8]) {
    let leaves_old_blocks = dice.chance(0.2);
    for change in pending {
        match change {
            Change::Truncate { .. } if dice.chance(share) => apply(content, change, log),
            Change::Truncate { .. } => {}
            Change::Write { place, bytes: written } => {
                for (place, piece) in pieces(*place, written, sector) {
                    let (place, end) = (place as usize, place as usize + piece.len());
                    if dice.chance(share) {
                        content.resize(content.len().max(end), 0);
                        content[place..end].copy_from_slice(&log[piece]);
                    } else if dice.chance(share) && content.len() < end {
                        let from = content.len();
                        let filler = if leaves_old_blocks {
                            bytes(dice.bits(), (end - from) as u64)
                        } else {
                            vec![0; end - from]
                        };
                        content.extend(filler);
                    }
                }
            }
        }
    }
}

/// A write, or the parts of it that lie in different sectors.
fn pieces(place: u64, bytes: &Range<usize>, sector: Option<u64>) -> Vec<(u64, Range<usize>)> {
    let Some(sector) = sector else { return vec![(place, bytes.clone())] };
    let mut pieces = Vec::new();
    let (mut at, mut from) = (place, bytes.start);
    while from < bytes.end {
        let length = ((sector - at % sector) as usize).min(bytes.end - from);
        pieces.push((at, from..from + length));
        at += length as u64;
        from += length;
    }
    pieces
}

fn apply(content: &mut Vec<u8>, change: &Change, log: &[u8]) {
    match change {
        Change::Write { place, bytes } => {
            let end = *place as usize + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*place as usize..end].copy_from_slice(&log[bytes.clone()]);
        }
        Change::Truncate { size } => content.resize(*size as usize, 0),
    }
}

fn set(entries: &mut Entries, name: &str, node: Option<NodeId>) {
    match node {
        Some(node) => entries.insert(name.to_owned(), node),
        None => entries.remove(name),
    };
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

/// What is on a disk when the power is back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    files: BTreeMap<PathBuf, Rc<Vec<u8>>>,
    folders: Vec<PathBuf>,
}

impl State {
    /// Lays it into an empty folder. The shared memory of SQLite is left out: it is made anew.
    pub(crate) fn lay(&self, root: &Path) {
        for folder in &self.folders {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (path, content) in self.files.iter().filter(|(path, _)| !is_shared_memory(path)) {
            fs::write(root.join(path), content.as_slice()).unwrap();
        }
    }

    /// Where it differs from what is in a folder; nothing if the trace has missed nothing.
    pub(crate) fn difference(&self, root: &Path) -> Option<String> {
        for (path, content) in self.files.iter().filter(|(path, _)| !is_shared_memory(path)) {
            match fs::read(root.join(path)) {
                Ok(real) if real == **content => {}
                Ok(real) => {
                    return Some(format!("{} has {} bytes and not {}", path.display(), real.len(), content.len()));
                }
                Err(error) => return Some(format!("{}: {error}", path.display())),
            }
        }
        None
    }
}

fn is_shared_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A folder with one synced file, and what a cut may leave of it after `ops`: the contents of `a` and `b`.
    fn states(model: Model, ops: &[Op], log: &[u8]) -> BTreeSet<(Option<String>, Option<String>)> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "old").unwrap();
        let mut disk = Disk::of(folder.path(), model);
        let root = folder.path().to_owned();
        let placed = |op: &Op| match op.clone() {
            Op::Create { path, inode } => Op::Create { path: root.join(path), inode },
            Op::Rename { from, to } => Op::Rename { from: root.join(from), to: root.join(to) },
            Op::Unlink { path } => Op::Unlink { path: root.join(path) },
            Op::Sync { inode: 0 } => Op::Sync { inode: inode(&fs::metadata(&root).unwrap()) },
            other => other,
        };
        ops.iter().for_each(|op| disk.carry_out(&placed(op), log));
        let mut dice = Dice::new(1, 1);
        let content = |state: &State, name: &str| {
            state.files.get(Path::new(name)).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        (0..300).map(|_| disk.cut(&mut dice, log)).map(|state| (content(&state, "a"), content(&state, "b"))).collect()
    }

    const NEW: u64 = u64::MAX;
    const FOLDER: Op = Op::Sync { inode: 0 };
    const FILE: Op = Op::Sync { inode: NEW };

    fn create() -> Op {
        Op::Create { path: "b".into(), inode: NEW }
    }

    fn write() -> Op {
        Op::Write { inode: NEW, place: 0, bytes: 0..3 }
    }

    fn rename() -> Op {
        Op::Rename { from: "b".into(), to: "a".into() }
    }

    fn pairs(of: &[(Option<&str>, Option<&str>)]) -> BTreeSet<(Option<String>, Option<String>)> {
        of.iter().map(|(a, b)| (a.map(str::to_owned), b.map(str::to_owned))).collect()
    }

    #[test]
    fn what_is_synced_with_its_folder_is_there() {
        for model in [Model::Ordered, Model::Weak] {
            let done = states(model, &[create(), write(), FILE, rename(), FOLDER], b"new");
            assert_eq!(done, pairs(&[(Some("new"), None)]), "{model:?}");
        }
    }

    #[test]
    fn a_rename_without_the_sync_of_the_folder_may_be_gone() {
        let old_or_new = pairs(&[(Some("old"), Some("new")), (Some("new"), None)]);
        assert_eq!(states(Model::Ordered, &[create(), write(), FILE, rename()], b"new"), old_or_new);
        // The name of a synced file is not synced with it.
        let weak = states(Model::Weak, &[create(), write(), FILE, rename()], b"new");
        assert!(weak.is_superset(&old_or_new) && weak.contains(&(Some("old".into()), None)), "{weak:?}");
    }

    #[test]
    fn a_rename_before_the_sync_of_the_file_may_leave_it_empty() {
        for model in [Model::Ordered, Model::Weak] {
            let states = states(model, &[create(), write(), rename(), FOLDER], b"new");
            assert!(states.contains(&(Some(String::new()), None)), "{model:?}: {states:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_synced_are_there_or_gone_in_any_order() {
        let two = [create(), FOLDER, Op::Write { inode: NEW, place: 0, bytes: 0..1 }, FILE];
        let over = [Op::Write { inode: NEW, place: 0, bytes: 1..2 }, Op::Write { inode: NEW, place: 1, bytes: 2..3 }];
        let ops: Vec<Op> = two.into_iter().chain(over).collect();
        let weak: BTreeSet<_> = states(Model::Weak, &ops, b"xyz").into_iter().filter_map(|(_, b)| b).collect();
        for state in ["x", "y", "xz", "yz", "x\0"] {
            assert!(weak.contains(state), "{state:?} of {weak:?}");
        }
        let ordered: BTreeSet<_> = states(Model::Ordered, &ops, b"xyz").into_iter().filter_map(|(_, b)| b).collect();
        assert_eq!(ordered, ["x", "y", "xz", "yz"].map(str::to_owned).into());
    }

    #[test]
    fn a_write_is_torn_at_a_sector() {
        let cut = pieces(500, &(0..30), Some(512));
        assert_eq!(cut, [(500, 0..12), (512, 12..30)]);
        assert_eq!(pieces(500, &(0..30), None), [(500, 0..30)]);
    }
}
