use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash functions of `digest()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::xpath) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// The algorithm called `name`, in letters of either case.
    pub(in crate::xpath) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "MD5" => Self::Md5,
            "SHA-1" => Self::Sha1,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => return None,
        })
    }

    fn hash(self, text: &str) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha384 => Sha384::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

/// The hash of the UTF-8 form of `text` as `base64` or `hex`; `None` for another encoding.
pub(super) fn digest(text: &str, algorithm: Algorithm, encoding: &str) -> Option<String> {
    let hash = algorithm.hash(text);
    if encoding.eq_ignore_ascii_case("base64") {
        Some(STANDARD.encode(hash))
    } else if encoding.eq_ignore_ascii_case("hex") {
        Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    } else {
        None
    }
}

/// The text behind its base64 form; `None` if it is not base64 or not UTF-8.
pub(super) fn base64_decode(encoded: &str) -> Option<String> {
    let compact: String = encoded.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let hex = |text, name| digest(text, Algorithm::named(name).unwrap(), "hex").unwrap();
        assert_eq!(hex("abc", "md5"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex("abc", "SHA-1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex("abc", "sha-256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex("abc", "SHA-384").len(), 96);
        assert_eq!(hex("abc", "SHA-512").len(), 128);
        let base64 = digest("", Algorithm::Sha256, "Base64").unwrap();
        assert_eq!(base64, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(digest("abc", Algorithm::Md5, "octal"), None);
        assert_eq!(Algorithm::named("CRC"), None);
    }

    #[test]
    fn only_text_comes_out_of_base64() {
        for (encoded, text) in
            [("w6k=", Some("é")), (" w6\nk= ", Some("é")), ("", Some("")), ("w6k", None), ("%%", None), ("/w==", None)]
        {
            assert_eq!(base64_decode(encoded).as_deref(), text, "{encoded}");
        }
    }
}
