//! Why a caller is not let in: told to operators, never to the caller.

/// What a caller is told. Everything of one kind is told in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Who calls is not proven: 401.
    Unproven,
    /// Who calls is proven, and may not do this: 403.
    Forbidden,
    /// It cannot be judged now, and may be later: 503.
    Later,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident, $told:ident, $code:literal;)*) => {
        /// Why a caller is not let in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refused { $($(#[$doc])* $variant,)* }

        impl Refused {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code in metrics and the process log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What the caller is told.
            pub const fn told(self) -> Told {
                match self { $(Self::$variant => Told::$told,)* }
            }
        }
    };
}

refusals! {
    /// No bearer token, or several.
    NoToken, Unproven, "no-token";
    /// Not three base64url parts of strict JSON within the size.
    Shape, Unproven, "shape";
    /// A header that asks for what is not done: another type, a key of its own, an extension.
    Header, Unproven, "header";
    /// An algorithm that this issuer, or this key, does not sign with; `none` among them.
    Algorithm, Unproven, "algorithm";
    /// An issuer that is not registered, or not for this caller.
    Issuer, Unproven, "issuer";
    /// No key has this id.
    UnknownKey, Unproven, "unknown-key";
    /// The signature does not fit.
    Signature, Unproven, "signature";
    /// It is for somebody else.
    Audience, Unproven, "audience";
    /// Expired, not valid yet, made in the future, or made for too long.
    Lifetime, Unproven, "lifetime";
    /// A claim is missing or is not what it should be.
    Claims, Unproven, "claims";
    /// It is bound to another certificate, or to none where it must be.
    Binding, Unproven, "binding";
    /// It was used before.
    Replayed, Unproven, "replayed";
    /// The connection showed no certificate.
    NoCertificate, Forbidden, "no-certificate";
    /// No entry, or more than one, has a name of the certificate.
    UnknownCaller, Forbidden, "unknown-caller";
    /// The entry pins another key.
    Pin, Forbidden, "pin";
    /// The entry may not call in this way.
    Profile, Forbidden, "profile";
    /// The organisation is not one that the entry may speak for.
    Organisation, Forbidden, "organisation";
    /// The system id is not the one that the entry has for the organisation.
    Asid, Forbidden, "asid";
    /// The role is none, or none that the entry may assert.
    Role, Forbidden, "role";
    /// The person did not sign in surely enough.
    Aal, Forbidden, "aal";
    /// The issuer's keys could not be had.
    KeysUnavailable, Later, "keys-unavailable";
    /// More tokens in ten minutes than can be remembered.
    Crowded, Later, "crowded";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_different() {
        let mut codes: Vec<_> = Refused::ALL.iter().map(|one| one.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refused::ALL.len());
    }
}
