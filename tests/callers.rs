//! Who is calling: certificates, signed tokens and unsigned ones, over real TLS at a real broker.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop where it stands"
)]

#[path = "callers/attacks.rs"]
mod attacks;
#[path = "callers/browser.rs"]
mod browser;
#[path = "callers/certificates.rs"]
mod certificates;
#[path = "callers/configurations.rs"]
mod configurations;
#[path = "callers/forms.rs"]
mod forms;
#[path = "callers/gpconnect.rs"]
mod gpconnect;
#[path = "callers/keys.rs"]
mod keys;
#[path = "callers/launch.rs"]
mod launch;
#[path = "callers/pki.rs"]
mod pki;
#[path = "callers/records.rs"]
mod records;
#[path = "callers/rotation.rs"]
mod rotation;
#[path = "web/run.rs"]
mod run;
#[path = "callers/scanner.rs"]
mod scanner;
#[path = "callers/scene.rs"]
mod scene;
#[path = "callers/signer.rs"]
mod signer;
