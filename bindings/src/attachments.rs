use std::sync::{Arc, Mutex, PoisonError};

use veldwerk::client::AttachmentWriter as CoreWriter;
use veldwerk::{Error, ErrorKind};

use crate::{DraftSession, ScreenView, SurveyError};

/// A file that is sealed while it is written, such as a recording that goes on. Meanwhile the draft can be used as ever.
/// Closed without [`AttachmentWriter::finish`] it leaves nothing. It keeps its draft open.
#[derive(uniffi::Object)]
pub struct AttachmentWriter {
    session: Arc<DraftSession>,
    node: String,
    extension: String,
    /// None once it is finished, or has failed.
    writer: Mutex<Option<CoreWriter>>,
}

#[uniffi::export]
impl AttachmentWriter {
    /// Takes more bytes, of any length, in order. Class disk. Throws `StorageFull`, `Internal`; then the file is given up.
    pub fn write(&self, bytes: Vec<u8>) -> Result<(), SurveyError> {
        let mut kept = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = kept.take().ok_or_else(ended)?;
        writer.write(&bytes)?;
        *kept = Some(writer);
        Ok(())
    }

    /// Ends the file and answers the question with it; gives what the screen shows then. Class disk. Throws
    /// `InvalidAnswer`, `StorageFull`, `Internal`; then the file is given up.
    pub fn finish(&self) -> Result<ScreenView, SurveyError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sealed = writer.ok_or_else(ended)?.finish()?;
        self.session.change(|session| session.attach_sealed(&self.node, &self.extension, sealed))
    }
}

fn ended() -> SurveyError {
    Error::new(ErrorKind::Usage, "the file is finished or was given up").into()
}

#[uniffi::export]
impl DraftSession {
    /// Begins a file that will answer a question; `extension` without its dot, such as `m4a`. Class disk. Throws
    /// `StorageFull`, `StoragePaused`, `Internal`.
    pub fn attachment_writer(
        self: Arc<Self>,
        node: String,
        extension: String,
    ) -> Result<Arc<AttachmentWriter>, SurveyError> {
        let writer = self.lock().attachment_writer()?;
        Ok(Arc::new(AttachmentWriter { session: self, node, extension, writer: Mutex::new(Some(writer)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finalization;
    use crate::fixture::TestHome;

    fn video(size: usize) -> Vec<u8> {
        (0..size).map(|n| (n * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_recording_is_written_in_pieces_while_the_draft_is_used_and_read_back_in_pieces() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let writer = Arc::clone(&session).attachment_writer("/d/photo".into(), "mp4".into()).unwrap();
        for piece in video(3_000_000).chunks(999_983) {
            writer.write(piece.to_vec()).unwrap();
            session.answer("/d/g/low".into(), Some("3".into())).unwrap();
        }
        session.go_to("/d/photo".into()).unwrap();
        let name = writer.finish().unwrap().questions.remove(0).value;
        let files = session.attachments().unwrap();
        assert_eq!((files[0].name.as_str(), files[0].bytes), (name.as_str(), 3_000_000));
        assert!(name.starts_with("photo-") && name.ends_with(".mp4"), "{name}");
        assert!(writer.write(vec![1]).is_err() && writer.finish().is_err(), "it is finished");

        let read_back = |id: i64| {
            let mut bytes = Vec::new();
            loop {
                let piece = home.client.attachment_read(id, bytes.len() as u64, u32::MAX).unwrap();
                assert!(piece.len() <= 1024 * 1024);
                if piece.is_empty() {
                    break bytes;
                }
                bytes.extend(piece);
            }
        };
        assert_eq!(read_back(files[0].id), video(3_000_000));
        assert_eq!(home.client.attachment_read(files[0].id, 70_000, 3).unwrap(), video(70_003)[70_000..]);
        let Finalization::Finalized { record, .. } = session.finalize().unwrap() else { panic!("refused") };
        let files = home.client.record_attachments(record).unwrap();
        assert_eq!(read_back(files[0].id), video(3_000_000));
        assert!(matches!(home.client.attachment_read(99, 0, 1), Err(SurveyError::NotFound { .. })));
        assert!(matches!(home.client.record_attachments(99), Err(SurveyError::NotFound { .. })));
    }

    #[test]
    fn a_writer_that_is_closed_or_refused_leaves_nothing() {
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let begin = |node: &str| Arc::clone(&session).attachment_writer(node.into(), "jpg".into()).unwrap();
        let writer = begin("/d/photo");
        writer.write(vec![1; 100_000]).unwrap();
        drop(writer);
        let refused = begin("/d/g/low").finish().unwrap_err();
        assert!(matches!(refused, SurveyError::InvalidAnswer { .. }), "{refused:?}");
        assert!(session.attachments().unwrap().is_empty());
        let files = std::fs::read_dir(home.folder.path().join("home/files")).unwrap();
        assert_eq!(files.count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_screen_is_there_while_a_long_file_is_sealed() {
        use std::io::Write;
        let home = TestHome::new();
        let session = home.client.start_draft(home.form, None).unwrap();
        let pipe = home.folder.path().join("camera.mp4");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::thread::scope(|scope| {
            let source = pipe.to_string_lossy().into_owned();
            let attaching = scope.spawn(|| session.attach("/d/photo".into(), source, true));
            // Opening a pipe waits until the other side reads: from here on the sealing is under way.
            let mut camera = std::fs::File::create(&pipe).unwrap();
            camera.write_all(&video(100_000)).unwrap();
            assert_eq!(session.screen().name, "/d/g");
            session.answer("/d/g/low".into(), Some("3".into())).unwrap();
            assert!(!attaching.is_finished());
            drop(camera);
            attaching.join().unwrap().unwrap();
        });
        assert_eq!(session.attachments().unwrap()[0].bytes, 100_000);
        assert!(!pipe.exists());
    }
}
