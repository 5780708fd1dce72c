//! Two records of disclosures, side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Then;

/// How one thing was and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// As it was.
    Same,
    /// Not as it was.
    Differs,
    /// It cannot be told.
    NotCompared,
}

impl State {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::NotCompared => "not compared",
        }
    }

    /// Of two digests, either of which may not be on record.
    fn of(was: Option<&str>, is: Option<&str>) -> Self {
        match (was, is) {
            (Some(was), Some(is)) if was == is => Self::Same,
            (Some(_), Some(_)) => Self::Differs,
            (None, _) | (_, None) => Self::NotCompared,
        }
    }
}

/// One source then and now.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SourceThenAndNow {
    pub(crate) source: String,
    state: State,
    /// What became of it then; nothing if it was not expected.
    was: Option<String>,
    /// What becomes of it now.
    is: Option<String>,
}

impl SourceThenAndNow {
    fn of(source: &str, was: Option<&Value>, is: Option<&Value>) -> Self {
        let text = |entry: Option<&Value>, key: &str| entry?.get(key)?.as_str().map(ToOwned::to_owned);
        // What is held counts, not what stands around it: some sources number their answers.
        let (then, now) = (text(was, "content"), text(is, "content"));
        let (was, is) = (text(was, "status"), text(is, "status"));
        let state = match State::of(then.as_deref(), now.as_deref()) {
            // Nothing was received either time: then it is what became of it that counts.
            State::NotCompared if then == now && was == is => State::Same,
            State::NotCompared | State::Differs => State::Differs,
            State::Same => State::Same,
        };
        Self { source: source.to_owned(), state, was, is }
    }

    pub(crate) fn words(&self) -> String {
        match (self.state, &self.was, &self.is) {
            (State::Same, ..) => "same".to_owned(),
            (_, None, _) => "differs: was not expected then".to_owned(),
            (_, _, None) => "differs: is not expected any more".to_owned(),
            (_, Some(was), Some(is)) if was == is => format!("differs: it says something else ({is})"),
            (_, Some(was), Some(is)) => format!("differs: was {was}, is {is}"),
        }
    }
}

/// What older versions did not put on record.
const UNRECORDED: [(&str, &str); 3] = [
    ("policy", "the policy: its digest is not on record"),
    ("maps", "the code maps: their digest is not on record"),
    ("codelists", "the code lists: their digest is not on record"),
];

/// What came of a replay. Digests and codes were compared; nothing clinical is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// Whether the same record would be shown.
    pub(crate) verdict: State,
    /// The disclosure.
    pub(crate) record: String,
    /// The disclosure of the replay, in its own log.
    pub(crate) replay: String,
    pub(crate) as_of: String,
    pub(crate) sources: Vec<SourceThenAndNow>,
    /// The whole record, byte for byte.
    pub(crate) bundle: State,
    pub(crate) versions: BTreeMap<&'static str, State>,
    /// What cannot be compared, and why.
    pub(crate) not_compared: Vec<&'static str>,
}

impl Comparison {
    /// Compares; `is_fixed` says that both were made by a clock that stands still.
    pub(super) fn of(then: &Then, now: &Value, replay: String, is_fixed: bool) -> Self {
        let text = |record: &Value, path: &str| super::text(record, path).map(ToOwned::to_owned);
        let state = |path: &str| State::of(text(&then.record, path).as_deref(), text(now, path).as_deref());
        let (were, are) = (by_source(&then.record), by_source(now));
        let ids: BTreeSet<&str> = were.keys().chain(are.keys()).copied().collect();
        let sources: Vec<_> = ids
            .into_iter()
            .map(|id| SourceThenAndNow::of(id, were.get(id).copied(), are.get(id).copied()))
            .collect();
        let versions = BTreeMap::from([
            ("build", state("/made_by/build")),
            ("configuration", state("/made_by/config_sha256")),
            ("policy", state("/why/policy_sha256")),
            ("maps", state("/made_by/maps_sha256")),
            ("codelists", state("/made_by/codelists_sha256")),
        ]);
        let mut not_compared =
            vec!["certificates and keys: the digest of the configuration is of its file alone"];
        for (what, words) in UNRECORDED {
            if versions.get(what) == Some(&State::NotCompared) {
                not_compared.push(words);
            }
        }
        let bundle = if is_fixed { state("/outcome/bundle_digest") } else { State::NotCompared };
        if !is_fixed {
            not_compared.push("the record byte for byte: it says how long each source took");
        }
        let all_same = sources.iter().all(|source| source.state == State::Same)
            && state("/outcome/completeness") == State::Same;
        let as_made = versions.values().all(|state| *state != State::Differs);
        let is_same = match bundle {
            State::Same => true,
            State::Differs => false,
            // From the same answers the same build makes the same record by the same configuration.
            State::NotCompared => all_same && as_made,
        };
        let verdict = if is_same { State::Same } else { State::Differs };
        let (record, as_of) = (format!("local-{}", then.seq), then.as_of.to_string());
        Self { verdict, record, replay, as_of, sources, bundle, versions, not_compared }
    }

    pub(crate) fn is_same(&self) -> bool {
        self.verdict == State::Same
    }
}

fn by_source(record: &Value) -> BTreeMap<&str, &Value> {
    let entries = record.get("sources").and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some((entry.get("source")?.as_str()?, entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn entry(status: &str, digest: Option<&str>) -> Value {
        digest
            .map_or_else(|| json!({"status": status}), |digest| json!({"status": status, "content": digest}))
    }

    #[track_caller]
    fn check(was: Option<&Value>, is: Option<&Value>, words: &str) {
        assert_eq!(SourceThenAndNow::of("gp", was, is).words(), words);
    }

    #[test]
    fn a_source_is_the_same_by_its_bytes_or_by_its_silence() {
        let [a, b] = ["a", "b"].map(|digest| entry("ok", Some(digest)));
        let (kept, late, gone) =
            (entry("ok-cached", Some("a")), entry("timeout", None), entry("unavailable", None));
        check(Some(&a), Some(&a), "same");
        check(Some(&kept), Some(&a), "same");
        check(Some(&late), Some(&late), "same");
        check(Some(&a), Some(&b), "differs: it says something else (ok)");
        check(Some(&a), Some(&late), "differs: was ok, is timeout");
        check(Some(&late), Some(&gone), "differs: was timeout, is unavailable");
        check(Some(&a), None, "differs: is not expected any more");
        check(None, Some(&a), "differs: was not expected then");
    }

    /// Tables that are compiled in go with the build, and another build is said.
    #[test]
    fn each_version_is_compared_by_itself() {
        let record = |changed: &str| {
            let value = |name: &str| if name == changed { "b" } else { "a" };
            json!({"kind": "disclosure", "what": {"interaction": "record"}, "patient": {"nhs": "9990000107"},
                "user": {"role": "gp", "org": "RX9", "assurance": "signed"},
                "why": {"purpose": "directcare", "policy_sha256": value("policy")},
                "outcome": {"completeness": "complete", "bundle_digest": "c"},
                "made_by": {"as_of": "2026-03-10T02:10:00Z", "form": "r4", "build": value("build"),
                    "config_sha256": value("configuration"), "maps_sha256": value("maps"),
                    "codelists_sha256": value("codelists")}})
        };
        let then = Then::read(7, record("")).unwrap();
        for changed in ["build", "configuration", "policy", "maps", "codelists"] {
            let compared = Comparison::of(&then, &record(changed), "local-1".to_owned(), false);
            for (name, state) in &compared.versions {
                let expected = if *name == changed { State::Differs } else { State::Same };
                assert_eq!(*state, expected, "{name} where {changed} is another");
            }
            assert_eq!(compared.verdict, State::Differs, "{changed}");
        }
        let mut older = record("");
        older["made_by"].as_object_mut().unwrap().retain(|name, _| !name.ends_with("s_sha256"));
        let compared =
            Comparison::of(&Then::read(7, older).unwrap(), &record(""), "local-1".to_owned(), false);
        assert_eq!(compared.versions["maps"], State::NotCompared);
        assert!(compared.not_compared.iter().any(|words| words.contains("code maps")), "{compared:?}");
        assert_eq!(compared.verdict, State::Same);
    }
}
