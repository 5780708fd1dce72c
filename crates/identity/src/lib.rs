#![doc = include_str!("../README.md")]

mod certificate;
mod consumer;
mod gate;
mod issuer;
mod json;
mod key;
mod launch;
mod own;
mod person;
mod reason;
mod refused;
mod relationship;
mod replay;
mod ring;
mod token;
mod verifier;

pub use certificate::{Certificate, CertificateName, ListDates};
pub use consumer::{Consumer, Consumers, Profile, SharedName};
pub use gate::{Gate, Tokens};
pub use issuer::{Binding, ClaimShape, Issuer, SKEW_SECS, Shown, VerifiedClaims};
pub use key::{Algorithm, KeySet, KeySetError, MOST_SET_BYTES};
pub use launch::{LAUNCH_KIND, LAUNCH_LIFE_SECS, Launched};
pub use own::{H2, Tls, TlsError, TlsIdentity};
pub use refused::{Refused, Told};
pub use replay::{MOST_REMEMBERED, MOST_REMEMBERED_SECS, Replays};
pub use ring::{ASKED_APART, KeyRing, LONGEST_WAIT, TRIED_APART};
pub use token::{MOST_TOKEN_BYTES, UnverifiedClaims, UnverifiedToken};
pub use verifier::{ClientTrust, ClientVerifier, TrustError};
