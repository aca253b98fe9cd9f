use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_compact::{PublicKey, Signature};
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
    /// The algorithm called `name`, in letters of either case, with or without the dash.
    pub(in crate::xpath) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "MD5" | "MD-5" => Self::Md5,
            "SHA1" | "SHA-1" => Self::Sha1,
            "SHA256" | "SHA-256" => Self::Sha256,
            "SHA384" | "SHA-384" => Self::Sha384,
            "SHA512" | "SHA-512" => Self::Sha512,
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

/// The message behind a signature: base64 of 64 bytes of Ed25519 and the UTF-8 text that they sign; `None` unless the key
/// (base64 of 32 bytes) made the signature.
pub(super) fn extract_signed(signed: &str, key: &str) -> Option<String> {
    const SIGNATURE_LENGTH: usize = 64;
    let bytes = |text: &str| STANDARD.decode(text.split_whitespace().collect::<String>()).ok();
    let signed = bytes(signed)?;
    let (signature, message) = signed.split_at_checked(SIGNATURE_LENGTH)?;
    let signature = Signature::from_slice(signature).ok()?;
    PublicKey::from_slice(&bytes(key)?).ok()?.verify(message, &signature).ok()?;
    String::from_utf8(message.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_key_has_signed_is_read() {
        use ed25519_compact::{KeyPair, Seed};
        let pair = KeyPair::from_seed(Seed::new([7; 32]));
        let sign = |message: &[u8]| STANDARD.encode([pair.sk.sign(message, None).as_ref(), message].concat());
        let key = STANDARD.encode(*pair.pk);
        for message in ["", "één", "a longer message, ١٢"] {
            let signed = sign(message.as_bytes());
            assert_eq!(extract_signed(&signed, &key).as_deref(), Some(message));
            assert_eq!(extract_signed(&format!(" {signed}\n"), &key).as_deref(), Some(message));
        }
        let signed = sign(b"paid");
        let other = STANDARD.encode(*KeyPair::from_seed(Seed::new([8; 32])).pk);
        let forged = STANDARD.encode([&STANDARD.decode(&signed).unwrap()[..64], b"free"].concat());
        let no_text = sign(b"\xff");
        for (signed, key) in [
            (signed.as_str(), other.as_str()),
            (&forged, &key),
            (&no_text, &key),
            (&signed[..40], &key),
            ("", &key),
            ("no base64!", &key),
            (&signed, ""),
            (&signed, "AAAA"),
        ] {
            assert_eq!(extract_signed(signed, key), None, "{signed} {key}");
        }
    }

    #[test]
    fn known_digests() {
        let hex = |text, name| digest(text, Algorithm::named(name).unwrap(), "hex").unwrap();
        assert_eq!(hex("abc", "md5"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hex("abc", "SHA-1"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex("abc", "sha-256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hex("abc", "SHA1"), hex("abc", "sha-1"));
        assert_eq!(hex("abc", "sha256"), hex("abc", "SHA-256"));
        assert_eq!(hex("abc", "Sha512"), hex("abc", "SHA-512"));
        assert_eq!(Algorithm::named("SHA--1"), None);
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
