//! One error type and one table of what can go wrong.
//!
//! [`ErrorKind`] is the small list that drives behaviour: each kind has a stable code, a sentence that says what happened
//! and one that says what to do. `docs/errors.md` is rendered from this table. An [`Error`] adds where it happened, in
//! words without personal data: no answer, no name, no token, no URL with a token.

use std::fmt;

/// What every fallible call of the core returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_kinds {
    ($($(#[$doc:meta])* $variant:ident $code:literal $what:literal $advice:literal)*) => {
        /// What went wrong, as a stable list; the code never changes once released.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorKind {
            $(#[doc = $what] $(#[$doc])* $variant,)*
        }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable kebab-case code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// One sentence: what happened.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            /// One sentence: what a person can do about it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

error_kinds! {
    // Forms
    NotXml "not-xml" "The file is not well-formed XML." "Ask the author of the form to export it again; it may have been cut off in a download."
    NotXforms "not-xforms" "The XML is not an ODK XForm." "Check that the file is a form and not another document, and convert XLSForms with pyxform."
    XpathSyntax "xpath-syntax" "An expression in the form cannot be read." "Correct the expression at the place named and publish the form again."
    UnknownFunction "unknown-function" "An expression calls a function that does not exist." "Correct the function's name, or leave it out; docs/ARCHITECTURE.md names the list that is supported."
    WrongArguments "wrong-arguments" "A function is called with a wrong number of arguments." "Correct the expression at the place named."
    Cycle "cycle" "Questions depend on each other in a circle, so no order of calculation exists." "Break the circle between the questions named."
    UnknownInstance "unknown-instance" "An expression asks for a list that the form does not declare." "Declare the instance, or correct its id in instance('…')."
    Unsupported "unsupported" "The form uses something that this version does not support." "Leave it out, or use a client that supports it; everything else of the form works."
    MissingMedia "missing-media" "A file that the form needs is not there." "Upload the file to the form on the server and refresh."
    EncryptionNeeded "encryption-needed" "Records of this form must be encrypted before they are sent, which this version cannot do." "Use a client that encrypts; the version before is not offered, because on it the answers would travel readable."
    // Filling
    NoSuchNode "no-such-node" "There is no such question in this record." "Open the record again; the repeat may have been removed."
    NotAQuestion "not-a-question" "This part of the form is not asked." "Answer the questions it is calculated from."
    NotRelevant "not-relevant" "The question does not apply with the present answers." "Change the answer that switched it off."
    Readonly "readonly" "The question shows a value and cannot be answered." "Nothing to do."
    InvalidValue "invalid-value" "The value is not of the kind the question asks for." "Enter a value of the kind asked for."
    InvalidChoice "invalid-choice" "The value is not one of the choices offered now." "Choose one of the choices offered."
    NotAllowed "not-allowed" "The number of these entries is set by the form." "Change the answer that sets the number."
    NotComplete "not-complete" "The record cannot be finalised yet." "Correct the answers named and finalise again; the draft is kept."
    FormNotOffered "form-not-offered" "The server does not offer this version of the form any more." "Choose the form from the list again; what was begun before can be finished and sent."
    NoSuchLanguage "no-such-language" "The form has no such language." "Choose one of the languages of the form."
    MissingAttachment "missing-attachment" "A file that an answer names is not there." "Take the photo or the recording again, or clear the answer."
    Unreplayed "unreplayed" "Some earlier changes of this draft could not be carried over." "Look at the changes listed, enter again what is missing, and confirm; they are kept until then."
    DraftInUse "draft-in-use" "This draft is already open." "Go on where it is open, or close it there first."
    UnreadableRecord "unreadable-record" "The saved record cannot be read as an answer to this form." "Keep the file and report it; nothing was changed."
    // Store
    NotFound "not-found" "There is no such project, form, draft or record." "Check the id; it may have been removed."
    WrongKey "wrong-key" "The key is not the one this store was made with." "Use the right key file; nothing was touched."
    KeyMissing "key-missing" "The store has no key, so nothing in it can be read." "Put the key file back where it was; nothing was created."
    KeyUnavailable "key-unavailable" "The key of the store cannot be had for the moment." "Unlock the device, or make the key file readable, and try again; nothing was touched."
    StoreInUse "store-in-use" "Another process is using this store." "Close the other program and try again."
    StorageFull "storage-full" "The storage of the device is full." "Free some space and answer again; every answer before this one is kept."
    StorageDamaged "storage-damaged" "The database is damaged." "Keep the folder as it is and have it checked; nothing was deleted."
    StorageTooNew "storage-too-new" "The store was written by a newer version of the program." "Update the program; nothing was touched."
    StoragePaused "storage-paused" "The store is closed for the moment." "Resume it first."
    Io "io" "A file could not be read or written." "Check the disk and the permissions of the folder, then try again."
    UnsafeFileName "unsafe-file-name" "A file name is empty or would lead outside its folder." "Rename the file on the server."
    UnsentRecords "unsent-records" "Drafts or unsent records of this project are still on this device." "Send or export them first, or confirm that they may go."
    RecordDiffers "record-differs" "A record with the same instance id but other contents is already on this device." "Keep both files and show them to the person who runs the study; nothing was changed."
    BrokenExport "broken-export" "A part of the exported record is missing, cut short or changed." "Export the record again where it came from; nothing of this one was taken."
    FixedHome "fixed-home" "A fixed clock or seed is not allowed on a store that holds real drafts." "Use an empty home for tests."
    // Projects and sync
    BadUrl "bad-url" "The address is not a usable web address." "Copy the address again, in full."
    NotHttps "not-https" "The address is not protected (http)." "Use the https address; http is allowed only to this computer itself."
    CentralWebPage "central-web-page" "The address is a page of ODK Central's website, not that of a project for phones." "Open the project there, then App Users, and scan or copy the code of an app user; its address contains /v1/key/."
    KoboWebPage "kobo-web-page" "The address is that of KoboToolbox's website, not that of its server for phones." "Use the address named, which begins with kc, with the name and the password of the account."
    FormLink "form-link" "The address is a link that opens one form in a browser." "Open it in a browser, or ask the person who runs the study for a settings code."
    OtherServer "other-server" "This belongs to another server or project." "Ask the person who runs the study whether it has moved, and confirm if it has."
    ProjectPresent "project-present" "Another project here has this address and this account already." "Go on in that project; what was begun in this one can still be sent or exported from it."
    BadCertificate "bad-certificate" "The file holds no certificate of an authority that can be used." "Ask the person who runs the server for the certificate of its authority as a PEM file."
    BadSettingsCode "bad-settings-code" "The text is not an ODK settings code." "Scan or copy the code again, in full."
    SignInNeeded "sign-in-needed" "The server does not accept the account or the token of this project." "Ask for a new code or check the password; nothing is lost meanwhile."
    Offline "offline" "There is no connection to the server." "Everything stays on this device; try again when there is internet."
    NotAServer "not-a-server" "What answered is not a survey server; often this is a sign-in page of a wifi network." "Open a browser, sign in to the wifi network, and try again."
    UnknownProject "unknown-project" "The server has nothing at the address of this project." "Ask the person who runs the study for a new code; the project may have been moved or closed, or the address mistyped."
    UnknownIssuer "unknown-issuer" "The server cannot prove who it is: nobody this device trusts has signed its certificate." "On a public wifi open a browser and sign in first; if the server has an authority of its own, give its certificate to the project."
    WrongCertificateName "wrong-certificate-name" "The server cannot prove who it is: its certificate is for another name." "On a public wifi open a browser and sign in first; otherwise check the address, and tell the person who runs the server."
    CertificateExpired "certificate-expired" "The server's certificate is no longer valid on the date of this device." "Set the date of the device if it is wrong; if it is right, tell the person who runs the server."
    CertificateNotYetValid "certificate-not-yet-valid" "The server's certificate is not valid yet on the date of this device." "Set the date of the device if it is wrong; if it is right, tell the person who runs the server."
    NoSecureConnection "no-secure-connection" "No secure connection to the server could be made." "Try another network; if that brings the same, tell the person who runs the server."
    ServerError "server-error" "The server could not do it now." "Try again later; nothing is lost."
    ServerRejected "server-rejected" "The server refuses this record." "Show the reason to the person who runs the study; the record stays on this device."
    TooLarge "too-large" "It is larger than what can be taken." "Enter a smaller number, take a smaller photo or a shorter recording, or ask for a higher limit on the server."
    DownloadTooLarge "download-too-large" "What the server sends is larger than this program takes." "Tell the person who runs the study; what was here before stays in use."
    TooSlow "too-slow" "The server, or the way to it, is too slow." "Try again with a better connection; what was here before stays in use."
    BrokenEntry "broken-entry" "An entry of the server's list is incomplete." "Tell the person who runs the server; everything else in the list is used."
    Interrupted "interrupted" "The work was stopped before it was done." "Start it again; it goes on where it stopped."
    SomeFailed "some-failed" "Not everything could be done." "What stands in the way is said with each; everything else is done."
    Usage "usage" "The call cannot be understood." "See the help of the command."
    Internal "internal" "Something unexpected happened inside the program." "Please report this with the code."
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error: its kind, where it happened, and what caused it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    detail: String,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind`; `detail` says where or which, without personal data, and may be empty.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Where or which; may be empty. No personal data.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, "")
    }
}

/// A failed file operation; a full disk has a kind of its own. An error of ours that travelled through a `Read` or a `Write`
/// comes out as it was.
#[cfg(feature = "store")]
pub(crate) fn io_error(error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) => {
            let is_full = matches!(error.kind(), Io::StorageFull | Io::QuotaExceeded);
            Error::new(if is_full { ErrorKind::StorageFull } else { ErrorKind::Io }, "").caused_by(error)
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.kind.sentence().trim_end_matches('.');
        if self.detail.is_empty() {
            write!(f, "{sentence}. {} [{}]", self.kind.advice(), self.kind.code())
        } else {
            write!(f, "{sentence}: {}. {} [{}]", self.detail, self.kind.advice(), self.kind.code())
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// The Markdown of `docs/errors.md`.
#[must_use]
pub fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\nRendered from the table in `core/src/error.rs`; a test compares the two.\n\n\
         | code | what happened | what to do |\n|---|---|---|\n",
    );
    for kind in ErrorKind::ALL {
        page.push_str(&format!("| `{}` | {} | {} |\n", kind.code(), kind.sentence(), kind.advice()));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let codes: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so in the environment")]
    fn docs_page_is_rendered_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        if std::env::var_os("VELDWERK_UPDATE_DOCS").is_some() {
            std::fs::write(path, errors_page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), errors_page());
    }
}
