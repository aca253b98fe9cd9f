use veldwerk::{Error, ErrorKind};

/// What an app can do about a failure. `reason` is a short text without personal data; `code` is the stable code of
/// `docs/errors.md`.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum SurveyError {
    /// The form cannot be filled: tell whoever runs the study.
    #[error("{reason}")]
    InvalidForm { code: String, reason: String },
    /// The answer is refused: show why, the session is unchanged.
    #[error("{reason}")]
    InvalidAnswer { code: String, reason: String },
    /// A file that an answer names is gone: ask for it again.
    #[error("{reason}")]
    MissingAttachment { code: String, reason: String },
    /// There is no such thing: refresh the list.
    #[error("{reason}")]
    NotFound { code: String, reason: String },
    /// The phone is full: ask to free space.
    #[error("{reason}")]
    StorageFull { code: String, reason: String },
    /// The store is damaged: keep everything, offer help.
    #[error("{reason}")]
    StorageDamaged { code: String, reason: String },
    /// The store is newer than the app: ask to update.
    #[error("{reason}")]
    StorageTooNew { code: String, reason: String },
    /// The store is paused: resume it first.
    #[error("{reason}")]
    StoragePaused { code: String, reason: String },
    /// Another process has the store, or another session the draft.
    #[error("{reason}")]
    StoreInUse { code: String, reason: String },
    /// The key is another home's.
    #[error("{reason}")]
    WrongKey { code: String, reason: String },
    /// The key is gone.
    #[error("{reason}")]
    KeyMissing { code: String, reason: String },
    /// The key cannot be had for the moment: wait until the phone is unlocked.
    #[error("{reason}")]
    KeyUnavailable { code: String, reason: String },
    /// The account is not accepted: ask for a new code.
    #[error("{reason}")]
    SignInNeeded { code: String, reason: String },
    /// No connection: wait.
    #[error("{reason}")]
    Offline { code: String, reason: String },
    /// Something else answered: a wifi sign-in page, or a wrong address.
    #[error("{reason}")]
    NotAServer { code: String, reason: String },
    /// The server does not take it.
    #[error("{reason}")]
    ServerRejected { code: String, reason: String },
    /// The address or code the person gave cannot be used.
    #[error("{reason}")]
    InvalidProject { code: String, reason: String },
    /// The work was stopped; start it again.
    #[error("{reason}")]
    Interrupted { code: String, reason: String },
    /// A fault of ours, or of the app's own code.
    #[error("{reason}")]
    Internal { code: String, reason: String },
}

impl From<Error> for SurveyError {
    fn from(error: Error) -> Self {
        Self::of(error.kind(), error.to_string())
    }
}

impl From<uniffi::UnexpectedUniFFICallbackError> for SurveyError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        // What the app's code threw may hold anything, so it is not repeated.
        Self::of(ErrorKind::Internal, "the app's own code failed when it was called".into())
    }
}

impl SurveyError {
    /// The one conversion; a new kind of error does not compile until it has a place here.
    pub(crate) fn of(kind: ErrorKind, reason: String) -> Self {
        use ErrorKind as K;
        let code = kind.code().to_owned();
        match kind {
            K::NotXml
            | K::NotXforms
            | K::XpathSyntax
            | K::UnknownFunction
            | K::WrongArguments
            | K::Cycle
            | K::UnknownInstance
            | K::Unsupported
            | K::EncryptionNeeded
            | K::MissingMedia
            | K::UnsafeFileName
            | K::DownloadTooLarge
            | K::BrokenEntry => Self::InvalidForm { code, reason },
            K::NoSuchNode
            | K::NotAQuestion
            | K::NotRelevant
            | K::Readonly
            | K::InvalidValue
            | K::InvalidChoice
            | K::NotAllowed
            | K::NotComplete
            | K::NoSuchLanguage
            | K::Unreplayed => Self::InvalidAnswer { code, reason },
            K::MissingAttachment => Self::MissingAttachment { code, reason },
            K::NotFound | K::FormNotOffered => Self::NotFound { code, reason },
            K::StorageFull => Self::StorageFull { code, reason },
            K::StorageDamaged | K::UnreadableRecord => Self::StorageDamaged { code, reason },
            K::StorageTooNew => Self::StorageTooNew { code, reason },
            K::StoragePaused => Self::StoragePaused { code, reason },
            K::StoreInUse | K::DraftInUse => Self::StoreInUse { code, reason },
            K::WrongKey => Self::WrongKey { code, reason },
            K::KeyMissing => Self::KeyMissing { code, reason },
            K::KeyUnavailable => Self::KeyUnavailable { code, reason },
            K::SignInNeeded => Self::SignInNeeded { code, reason },
            K::Offline | K::ServerError | K::TooSlow => Self::Offline { code, reason },
            K::NotAServer
            | K::UnknownIssuer
            | K::WrongCertificateName
            | K::CertificateExpired
            | K::CertificateNotYetValid
            | K::NoSecureConnection => Self::NotAServer { code, reason },
            K::ServerRejected | K::TooLarge | K::RecordDiffers | K::BrokenExport | K::UnsentRecords => {
                Self::ServerRejected { code, reason }
            }
            K::BadUrl
            | K::NotHttps
            | K::BadSettingsCode
            | K::CentralWebPage
            | K::KoboWebPage
            | K::FormLink
            | K::OtherServer
            | K::ProjectPresent
            | K::UnknownProject
            | K::BadCertificate => Self::InvalidProject { code, reason },
            K::Interrupted | K::SomeFailed => Self::Interrupted { code, reason },
            K::Io | K::FixedHome | K::Usage | K::Internal => Self::Internal { code, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_the_app_should_do() {
        for &kind in ErrorKind::ALL {
            let error = SurveyError::from(Error::new(kind, "somewhere"));
            assert!(error.to_string().contains(kind.code()), "{error:?}");
        }
        assert!(matches!(SurveyError::from(Error::from(ErrorKind::WrongKey)), SurveyError::WrongKey { .. }));
        assert!(matches!(SurveyError::from(Error::from(ErrorKind::InvalidChoice)), SurveyError::InvalidAnswer { .. }));
    }
}
