//! A configuration with everything that it names, checked as far as that goes without contacting anybody.

use std::fs;
use std::path::Path;

use tributary_audit::Digest;
use tributary_broker::{CodeLists, Maps};
use tributary_sources::Registry;

use crate::error::StartError;
use crate::rules::Rules;
use crate::wire::{demands, outward};
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

/// Settings in which no mistake was found, and the rules that they name.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) settings: Settings,
    pub(crate) rules: Rules,
}

/// The text of a configuration, read once. What it names was not looked at.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Of its text; of nothing where it could not be read.
    digest: Digest,
    settings: Result<Settings, Vec<Mistake>>,
}

impl Reading {
    /// Reads a configuration.
    pub(crate) fn of(config: &Path) -> Self {
        match fs::read_to_string(config) {
            Err(error) => Self { digest: Digest::of(b""), settings: Err(vec![Settings::unreadable(&error)]) },
            Ok(text) => {
                let settings = Settings::parse_at(&text, config);
                let digest =
                    settings.as_ref().map_or_else(|_| Digest::of(text.as_bytes()), |read| read.digest);
                Self { digest, settings }
            }
        }
    }

    /// The settings, if they could be read; whether they may take effect is for [`check`] to say.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref().ok()
    }
}

/// A configuration that takes no effect.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Of its text; of nothing where it could not be read.
    pub(crate) digest: Digest,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads what a configuration names: its certificates, keys, secrets, maps and lists. Every mistake is told.
pub(crate) fn check(reading: Reading, asked: Asked) -> Result<Checked, Refused> {
    let Reading { digest, settings } = reading;
    let refused = |mistakes| Refused { digest, mistakes };
    let mut settings = settings.map_err(refused)?;
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
    let lists = codelists::load(settings.codelists.as_deref()).unwrap_or_else(|error| {
        mistakes.push(Mistake { path: "codelists.dir".to_owned(), line: None, says: error.to_string() });
        CodeLists::default()
    });
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
        Ok(policy) if mistakes.is_empty() => Ok(Checked { settings, rules: Rules { maps, lists, policy } }),
        Ok(_) | Err(_) => Err(refused(mistakes)),
    }
}

impl Checked {
    /// What only building shows: whether the parts fit together, as a certificate and its key must. Built is what
    /// may not fit, not the stacks of thousands of sources, and it is thrown away.
    pub(crate) fn misfit(&self) -> Option<Mistake> {
        let settings = &self.settings;
        let built = || -> Result<(), StartError> {
            let outward = outward(
                settings,
                &settings.server.base_url(settings.server.listen),
                &tributary_model::MemoryBudget::default(),
            )?;
            outward.practices(settings)?;
            let mut clients = Vec::new();
            for demanded in demands(settings) {
                let (entry, tls) = demanded?;
                let own = Registry::client_for(entry, tls.as_ref(), &outward.egress, &outward.context)?;
                // Kept for now: sources with the same demands share one, as long as there is one.
                clients.extend(tls.map(|_| own));
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n[audit]\ndir = \"log\"\n\
                        [[source]]\nid = \"a\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\n\
                        base_url = \"https://a.example.test/r4\"\n[demo]\ninsecure = true\n";

    #[test]
    fn what_the_process_was_shut_in_by_is_what_is_checked() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("tributary.toml");
        fs::write(&config, TEXT).unwrap();
        let reading = Reading::of(&config);
        // Somebody writes to the file while the process begins.
        fs::write(&config, "no configuration").unwrap();
        assert_eq!(reading.settings().unwrap().sources.len(), 1);
        let checked = check(reading, Asked::AsConfigured).unwrap();
        assert_eq!(checked.settings.digest, Digest::of(TEXT.as_bytes()));
        let now = check(Reading::of(&config), Asked::AsConfigured).unwrap_err();
        assert_eq!((now.digest, now.mistakes.is_empty()), (Digest::of(b"no configuration"), false));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_mistake_and_has_no_digest() {
        let reading = Reading::of(Path::new("/nowhere/tributary.toml"));
        assert!(reading.settings().is_none());
        let refused = check(reading, Asked::AsConfigured).unwrap_err();
        assert_eq!((refused.digest, refused.mistakes.len()), (Digest::of(b""), 1));
    }
}
