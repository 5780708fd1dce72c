//! A configuration with everything that it names, checked as far as that goes without contacting anybody.

use std::fs;
use std::path::Path;

use tributary_audit::Digest;
use tributary_broker::{Maps, Policy};
use tributary_sources::Registry;

use crate::error::StartError;
use crate::wire::{entries, outward};
use crate::{callers, codelists, maps, policy};
use tributary_settings::secrets;
use tributary_settings::{Mistake, Settings};

/// Whether callers are to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// As the configuration says.
    AsConfigured,
    /// Everybody is believed, on loopback: `--insecure-demo`.
    InsecureDemo,
}

impl Asked {
    /// What was asked for when these settings came to be.
    pub(crate) fn when(settings: &Settings) -> Self {
        let is_by_command = settings.demo.as_ref().is_some_and(|demo| demo.is_by_command);
        if is_by_command { Self::InsecureDemo } else { Self::AsConfigured }
    }
}

/// Settings in which no mistake was found, the maps and the policy that they name.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: Settings,
    pub(crate) maps: Maps,
    pub(crate) policy: Policy,
}

/// A configuration that takes no effect.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Of its text; of nothing where it could not be read.
    pub(crate) digest: Digest,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads a configuration, its certificates, keys, secrets, maps and lists. Every mistake is told.
pub(crate) fn read(config: &Path, asked: Asked) -> Result<Checked, Refused> {
    let nothing = Digest::of(b"");
    let text = fs::read_to_string(config)
        .map_err(|error| Refused { digest: nothing, mistakes: vec![Settings::unreadable(&error)] })?;
    let digest = Digest::of(text.as_bytes());
    let refused = |mistakes| Refused { digest, mistakes };
    let mut settings = Settings::parse_at(&text, config).map_err(refused)?;
    if asked == Asked::InsecureDemo {
        settings.believe().map_err(|mistake| refused(vec![mistake]))?;
    }
    let settings = settings;
    let mut mistakes = settings.obstacles();
    let maps = match maps::load(settings.maps.as_deref()) {
        Ok(maps) => {
            mistakes.extend(settings.prompts.obstacles(&maps));
            maps
        }
        Err(error) => {
            mistakes.push(Mistake { path: "maps.dir".to_owned(), line: None, says: error.to_string() });
            Maps::default()
        }
    };
    if let Err(error) = codelists::load(settings.codelists.as_deref()) {
        mistakes.push(Mistake { path: "codelists.dir".to_owned(), line: None, says: error.to_string() });
    }
    let policy = policy::load(settings.policy.file.as_deref());
    mistakes.extend(policy.as_ref().err().into_iter().flatten().cloned());
    mistakes.extend(secrets::mistakes(&settings.national));
    let spine = settings.spine.iter().filter_map(|spine| spine.tls.as_ref());
    for files in settings.source_tls.values().chain(spine) {
        mistakes.extend(files.load().err().into_iter().flatten());
    }
    mistakes.extend(settings.server.tls.iter().filter_map(|files| files.load().err()).flatten());
    mistakes.extend(settings.server.others_tls().filter_map(|files| files.load().err()).flatten());
    mistakes.extend(callers::mistakes(&settings));
    mistakes.extend(link_key_mistake(&settings));
    mistakes.extend(settings.audit.file_mistakes());
    mistakes.extend(settings.telemetry.file_mistakes());
    match policy {
        Ok(policy) if mistakes.is_empty() => Ok(Checked { settings, maps, policy }),
        Ok(_) | Err(_) => Err(refused(mistakes)),
    }
}

impl Checked {
    /// What only building shows: whether the parts fit together, as a certificate and its key must. What was built
    /// is thrown away.
    pub(crate) fn misfit(&self) -> Option<Mistake> {
        let settings = &self.settings;
        let built = || -> Result<(), StartError> {
            let outward = outward(
                settings,
                &settings.server.base_url(settings.server.listen),
                &tributary_model::MemoryBudget::default(),
            )?;
            outward.practices(settings)?;
            Registry::build(entries(settings)?, &outward.egress, &outward.context)?;
            Ok(())
        };
        built().err().map(|error| error.mistake(settings))
    }
}

/// What is wrong with the file that seals the addresses of documents.
fn link_key_mistake(settings: &Settings) -> Option<Mistake> {
    let file = settings.server.link_key_file.as_deref()?;
    let says = match fs::read(file) {
        Err(error) => format!("cannot be read: {}", error.kind()),
        Ok(bytes) if bytes.len() != 32 => "does not hold 32 bytes".to_owned(),
        Ok(_) => secrets::exposure(file)?.of(file),
    };
    Some(Mistake { path: "server.link_key_file".to_owned(), line: None, says })
}
