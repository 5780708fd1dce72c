//! How a client is set up.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use tributary_model::Redacted;

use crate::error::ClientError;
use crate::retry::Retries;
use crate::tls::Certificate;

/// What a client is made of.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The authorities that may vouch for the broker, in PEM form; those of this machine when absent.
    pub authorities_pem: Option<Vec<u8>>,
    /// Who we are to the broker's listener.
    pub certificate: Option<Certificate>,
    /// Who asks.
    pub token: Token,
    /// How often what failed is asked again.
    pub retries: Retries,
}

/// The bearer token of a request.
#[derive(Clone, Default)]
pub enum Token {
    /// None. A demonstration takes that for its own requester.
    #[default]
    None,
    /// This one, with every request. A broker that proves its callers takes a token once only: so nothing is
    /// asked again that may have reached it.
    Fixed(Redacted<String>),
    /// One for each request, repeats included.
    Each(Arc<dyn Fn() -> Redacted<String> + Send + Sync>),
}

impl Token {
    /// Whether a second request may carry one that is still good.
    pub(crate) const fn can_repeat(&self) -> bool {
        match self {
            Self::None | Self::Each(_) => true,
            Self::Fixed(_) => false,
        }
    }

    /// The header of the next request.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, ClientError> {
        let value = |token: &Redacted<String>| {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()));
            let mut value = value.map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            Ok(Some(value))
        };
        match self {
            Self::None => Ok(None),
            Self::Fixed(token) => value(token),
            Self::Each(next) => value(&next()),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed([redacted])",
            Self::Each(_) => "Each([redacted])",
        })
    }
}
