//! Who we are towards sources.

/// The broker as it names itself in tokens and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerIdentity {
    /// Address of our Spine endpoint: the token's issuer.
    pub iss: String,
    /// Identifier system of the device that asks.
    pub device_system: String,
    /// Its value.
    pub device_value: String,
    /// Product name.
    pub model: String,
    /// Product version.
    pub version: String,
    /// Our own system id on the Spine, for requesters whose organisation has none of its own.
    pub asid: String,
}
