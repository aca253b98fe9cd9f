use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest of the UTF-8 bytes of `text`; empty for an unknown algorithm.
pub(super) fn digest(text: &str, algorithm: &str, encoding: &str) -> String {
    let bytes = match algorithm.to_ascii_uppercase().as_str() {
        "MD5" => Md5::digest(text).to_vec(),
        "SHA-1" => Sha1::digest(text).to_vec(),
        "SHA-256" => Sha256::digest(text).to_vec(),
        "SHA-384" => Sha384::digest(text).to_vec(),
        "SHA-512" => Sha512::digest(text).to_vec(),
        _ => return String::new(),
    };
    if encoding.eq_ignore_ascii_case("hex") {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    } else {
        STANDARD.encode(bytes)
    }
}

/// The UTF-8 text behind Base64; empty if there is none.
pub(super) fn decode(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        assert_eq!(digest("abc", "md5", "hex"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digest("abc", "SHA-1", "HEX"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(digest("", "SHA-256", "base64"), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(digest("abc", "CRC", "hex"), "");
        assert_eq!(decode("w6k="), "é");
        assert_eq!(decode("%%"), "");
    }
}
