//! Mistakes with their places, and the shipped files.

use super::*;

/// A configuration without mistakes, to be spoilt.
const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8443"

[[source]]
id = "gp"
name = "Riverside Surgery"
kind = "gp"
protocol = "gpconnect-structured"
ods = "A99901"
asid = "200000000205"
base_url = "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir"

[[source]]
id = "acute-a"
kind = "acute"
protocol = "fhir-r4"
base_url = "http://127.0.0.1:9001/fhir"

[demo]
insecure = true
"#;

/// The mistakes after one replacement, as text.
#[track_caller]
fn check(from: &str, to: &str, mistakes: &[&str]) {
    assert!(GOOD.contains(from), "{from}");
    told(&GOOD.replacen(from, to, 1), mistakes);
}

#[track_caller]
fn told(text: &str, mistakes: &[&str]) {
    let found: Vec<String> = match Settings::parse(text) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, mistakes);
}

#[test]
fn a_good_configuration_has_no_mistakes() {
    let settings = Settings::parse(GOOD).unwrap();
    assert_eq!(settings.sources.len(), 2);
    assert_eq!(settings.sources[1].name, "acute-a");
    assert_eq!(settings.sources[1].rank, 2);
    assert_eq!(settings.obstacles(), []);
}

#[test]
fn every_mistake_is_told_with_path_and_line() {
    let text = r#"
[server]
listen = "record.example:8443"
drain_secs = 0
drain = 10

[[source]]
id = "GP 1"
kind = "dentist"
protocol = "gpconnect-structured"
base_url = "http://gp.example.test"
sections = ["allergies", "toes"]
timeout_ms = "fast"
cache_ttl_secs = 901

[audits]
"#;
    told(
        text,
        &[
            "line 3: server.listen: is not an address and a port, as in \"127.0.0.1:8443\"",
            "line 4: server.drain_secs: is not between 1 and 600",
            "line 5: server.drain: is no key here; known are listen, admin_listen, public_base_url, spine_position, link_key_file, tls, gpconnect, launch, lame_duck_secs, drain_secs, max_in_flight, max_behind_ms, max_connections, max_connections_per_address, max_requests_per_connection",
            "line 7: source[1].ods: is missing",
            "line 7: source[1].asid: is missing",
            "line 8: source[1].id: a source id is 1 to 64 lower-case letters, digits and hyphens, beginning with a letter",
            "line 9: source[1].kind: is none of \"gp\", \"acute\", \"community\", \"broker\"",
            "line 11: source[1].base_url: begins with http://, which is accepted for loopback addresses only",
            "line 12: source[1].sections[2]: is no section; sections are plans, flags, allergies, medications, problems, results, reports, encounters, procedures, immunisations, documents, referrals, diary, appointments, socialcare, uncategorised",
            "line 13: source[1].timeout_ms: is a text, not a whole number",
            "line 14: source[1].cache_ttl_secs: is not between 0 and 900",
            "line 16: audits: is no key here; known are server, source, locator, limits, cache, signals, log, telemetry, audit, broker, identity, issuer, consumer, oauth, pds, sds, maps, prompts, codelists, policy, viewer, demo, process, organisation, spine",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_told_with_its_line() {
    let mistakes = Settings::parse("[server]\nlisten = \n").unwrap_err();
    assert_eq!(mistakes[0].line, Some(2));
    let mistakes = Settings::parse("[server]\nlisten = \"a\"\nlisten = \"b\"\n").unwrap_err();
    assert_eq!(mistakes[0].line, Some(3));
}

#[test]
fn other_addresses_than_loopback_need_tls() {
    let tls = "\n[server.tls]\ncert_file = \"a.pem\"\nkey_file = \"a.key\"\n";
    let text = format!("[server]\nlisten = \"0.0.0.0:8443\"{tls}");
    let settings = Settings::parse(&text).unwrap();
    assert_eq!(settings.server.base_url(settings.server.listen), "https://0.0.0.0:8443");
    told(
        &text.replace("key_file = \"a.key\"", "key = \"a.key\""),
        &[
            "line 3: server.tls.key_file: is missing",
            "line 5: server.tls.key: is no key here; known are cert_file, key_file, client_ca_file, client_crl_file, client_crl_grace_hours, without_client_crl",
        ],
    );
    told(
        "[server]\nadmin_listen = \"0.0.0.0:9464\"\n",
        &[
            "line 2: server.admin_listen: is not a loopback address; it has no TLS, and whoever reaches it is told",
        ],
    );
}

#[test]
fn every_mistake_in_the_files_of_tls_is_told() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("a.key");
    fs::write(&key, "CANARY").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let files = ListenerTls {
        path: "server.tls".to_owned(),
        client_crl: ClientCrl::Unsaid,
        cert_file: dir.path().join("none"),
        key_file: key,
        client_ca_file: Some(dir.path().join("x")),
    };
    let mistakes: Vec<_> = files.load().unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(mistakes[0].starts_with("server.tls.cert_file: "), "{mistakes:?}");
    assert!(mistakes[1].starts_with("server.tls.client_ca_file: "), "{mistakes:?}");
    assert!(
        mistakes[2].ends_with("can be read by other users of this machine; chmod 600 it"),
        "{mistakes:?}"
    );
    let files = ListenerTls { cert_file: files.key_file.clone(), client_ca_file: None, ..files };
    let mistakes = files.load().unwrap_err();
    assert_eq!(mistakes[1].to_string(), "server.tls.cert_file: holds no certificate in PEM form");
    assert!(!format!("{mistakes:?}").contains("CANARY"));
}

#[test]
fn listeners_stay_on_loopback_and_apart() {
    check(
        "127.0.0.1:8443",
        "0.0.0.0:8443",
        &[
            "line 3: server.listen: is not a loopback address, and there is no [server.tls]",
            "line 21: demo.insecure: is refused unless every listener is a loopback address",
        ],
    );
    check(
        "127.0.0.1:8443",
        "127.0.0.1:9464",
        &["line 2: server.admin_listen: is the address of the data listener; they must differ"],
    );
    check("127.0.0.1:8443", "127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0", &[]);
}

#[test]
fn two_sources_never_share_an_id_or_a_practice() {
    check("acute-a", "gp", &["line 15: source[2].id: is the id of an earlier source"]);
    let second = "kind = \"gp\"\nods = \"A99901\"\nprotocol = \"fhir-r4\"";
    check(
        "kind = \"acute\"\nprotocol = \"fhir-r4\"",
        second,
        &["line 17: source[2].ods: is the ods code of an earlier gp source"],
    );
}

#[test]
fn sections_stay_within_the_protocol() {
    check(
        "asid = \"200000000205\"",
        "asid = \"200000000205\"\nsections = [\"allergies\", \"socialcare\"]",
        &["line 12: source[1].sections: gpconnect-structured cannot be asked for socialcare"],
    );
}

#[test]
fn owning_everything_is_refused() {
    for bad in ["https:", "urn:", "x"] {
        let to = format!("asid = \"200000000205\"\nowns = [\"{bad}\"]");
        let mistakes = Settings::parse(&GOOD.replacen("asid = \"200000000205\"", &to, 1)).unwrap_err();
        assert_eq!(mistakes[0].path, "source[1].owns[1]", "{bad}");
    }
}

#[test]
fn the_locator_names_sources_of_the_right_kind() {
    check(
        "[demo]",
        "[locator]\ngp = [\"acute-a\", \"nobody\"]\n[demo]",
        &[
            "line 21: locator.gp[1]: is a source of kind acute",
            "line 21: locator.gp[2]: is the id of no source",
        ],
    );
    let settings = Settings::parse(&GOOD.replacen("[demo]", "[locator]\ngp = []\n[demo]", 1)).unwrap();
    let expected = settings.locator.expected(&settings.sources);
    let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(expected, ["acute-a"]);
}

#[test]
fn what_is_not_offered_is_refused_in_words() {
    check("fhir-r4", "tributary", &["line 17: source[2].protocol: \"tributary\" is not offered yet"]);
}

#[test]
fn a_log_in_a_database_needs_the_database_and_the_name_of_a_node() {
    let check = |audit: &str, says: &[&str]| check("[demo]", &format!("[audit]\n{audit}\n[demo]"), says);
    check("sink = \"postgres\"", &["line 20: audit.postgres: is missing: sink = \"postgres\" needs it"]);
    check("sink = \"s3\"", &["line 21: audit.sink: is neither \"local\" nor \"postgres\""]);
    let both = "[audit.postgres]\nhost = \"db\"\nuser = \"u\"\nnode = \"n\"";
    check(both, &["line 20: audit.sink: is \"local\", and there is an [audit.postgres]"]);
    check(
        "sink = \"postgres\"\n[audit.postgres]\nnode = \"reads\"",
        &[
            "line 22: audit.postgres.host: and socket_dir: one of them says where the server is, and not both",
            "line 22: audit.postgres.user: is missing",
            "line 23: audit.postgres.node: is not 1 to 24 lower-case letters, digits and hyphens, or is one of \
             \"reads\" and \"local\"",
        ],
    );
    check(
        "[audit.export]",
        &["line 21: audit.export.url: and file: one of them says where audit events go, or both"],
    );
}

const NATIONAL: &str = "[oauth]\ntoken_url = \"https://t.example.test/token\"\nclient_id = \"c\"\nkid = \"k\"\n\
    key_file = \"k.pem\"\n[pds]\nbase_url = \"https://pds.example.test/FHIR/R4\"\n[sds]\n\
    base_url = \"https://sds.example.test/FHIR/R4\"\napi_key_file = \"key\"\n[sds.practice]\n[demo]";

#[test]
fn the_national_services_have_their_usual_bounds() {
    let settings = Settings::parse(&GOOD.replacen("[demo]", NATIONAL, 1)).unwrap().national;
    let (pds, sds) = (settings.pds.unwrap(), settings.sds.unwrap());
    assert_eq!((pds.per_second, pds.cache_ttl, sds.per_second, sds.shared_ttl), (5, None, 5, None));
    assert_eq!(sds.session_ttl.as_secs(), 900);
    assert_eq!(sds.practice.unwrap().name, "GP practice");
    let without = Settings::parse(GOOD).unwrap().national;
    assert!(without.pds.is_none() && without.sds.is_none() && without.oauth.is_none());
}

#[test]
fn national_services_that_do_not_fit_together_are_told() {
    let spoilt = |from: &str, to: &str, mistakes: &[&str]| {
        assert!(NATIONAL.contains(from), "{from}");
        check("[demo]", &NATIONAL.replacen(from, to, 1), mistakes);
    };
    let without_oauth = NATIONAL.split_once("[pds]").unwrap().1;
    check(
        "[demo]",
        &format!("[pds]{without_oauth}"),
        &["line 20: pds: needs [oauth]: the service is asked with an access token"],
    );
    spoilt(
        "[pds]\nbase_url = \"https://pds.example.test/FHIR/R4\"\n",
        "",
        &["line 28: sds.practice: needs [pds]: without it nobody knows which practice to ask"],
    );
    spoilt(
        "[pds]\n",
        "[locator]\ngp = [\"gp\"]\n[pds]\n",
        &["line 25: locator: names gp sources, and [pds] decides on them; leave gp out"],
    );
    spoilt(
        "kid = \"k\"\n",
        "kid = \"k k\"\ntimeout_ms = 1\n",
        &[
            "line 23: oauth.kid: is not one word of plain letters, digits and signs",
            "line 24: oauth.timeout_ms: is not between 50 and 30000",
        ],
    );
    spoilt(
        "[sds]\n",
        "requests_per_second = 0\ncache_ttl_secs = 61\n[sds]\nshared_cache_ttl_secs = 901\nsession_ttl_secs = 0\n",
        &[
            "line 27: pds.requests_per_second: is not between 1 and 1500",
            "line 28: pds.cache_ttl_secs: is not between 0 and 60",
            "line 30: sds.shared_cache_ttl_secs: is not between 0 and 900",
            "line 31: sds.session_ttl_secs: is not between 1 and 900",
        ],
    );
    spoilt(
        "https://pds.example.test/FHIR/R4",
        "http://pds.example.test/FHIR/R4",
        &["line 26: pds.base_url: begins with http://, which is accepted for loopback addresses only"],
    );
}

#[test]
fn with_pds_every_practice_is_known_by_its_code() {
    let second = format!(
        "kind = \"gp\"\nprotocol = \"fhir-r4\"\nbase_url = \"http://127.0.0.1:9001/fhir\"\n{NATIONAL}"
    );
    let text = GOOD.split_once("kind = \"acute\"").unwrap().0.to_owned() + &second + "\ninsecure = true\n";
    told(&text, &["line 24: pds: finds practices by ods code, and the gp source acute-a has none"]);
}

#[test]
fn secrets_begin_at_the_folder_of_the_file_and_are_checked_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.toml");
    fs::write(&file, GOOD.replacen("[demo]", NATIONAL, 1)).unwrap();
    let settings = Settings::load(&file).unwrap();
    assert_eq!(settings.national.oauth.as_ref().unwrap().key_file, dir.path().join("k.pem"));
    let told: Vec<_> = secrets::mistakes(&settings.national).iter().map(ToString::to_string).collect();
    let missing = |key: &str, name: &str| {
        format!(
            "{key}: {} cannot be read: No such file or directory (os error 2)",
            dir.path().join(name).display()
        )
    };
    assert_eq!(told, [missing("oauth.key_file", "k.pem"), missing("sds.api_key_file", "key")]);
}

#[test]
fn a_demo_says_that_it_is_insecure() {
    check("insecure = true", "", &["line 20: demo.insecure: is missing"]);
    check(
        "insecure = true",
        "insecure = false",
        &[
            "line 21: demo.insecure: must be true: it says that callers are believed. To have them proven leave [demo] out",
        ],
    );
    check(
        "insecure = true",
        "insecure = true\nas_of = \"2026-03-10\"\n[[demo.patient]]\nnhs_number = \"9990000019\"",
        &[
            "line 22: demo.as_of: is not an instant, as in \"2026-03-10T02:10:00Z\"",
            "line 23: demo.patient[1].title: is missing",
            "line 24: demo.patient[1].nhs_number: the check digit of the nhs number is wrong",
        ],
    );
}

#[test]
fn without_a_demo_callers_must_be_provable() {
    let settings = Settings::parse(&GOOD.replace("[demo]\ninsecure = true", "")).unwrap();
    let obstacles: Vec<_> = settings.obstacles().into_iter().map(|obstacle| obstacle.path).collect();
    assert_eq!(obstacles, ["server.tls", "consumer", "issuer"]);
    let paths = Settings::default().obstacles().into_iter().map(|obstacle| obstacle.path);
    assert_eq!(paths.collect::<Vec<_>>(), ["source", "server.tls", "consumer", "issuer"]);
}

const SHIPPED: &str = include_str!("../../../config/tributary.toml");
const DEMO: &str = include_str!("../../../config/demo.toml");

#[test]
fn the_shipped_file_is_the_defaults() {
    let shipped = Settings::parse(SHIPPED).unwrap();
    let usual = Settings { digest: shipped.digest, ..Settings::default() };
    assert_eq!(format!("{shipped:#?}"), format!("{usual:#?}"));
}

/// The shipped file with its examples put into force: a line that begins with `#` and no blank is one.
fn with_examples() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.starts_with([' ', '#']) => example.to_owned(),
        _ => line.to_owned(),
    };
    SHIPPED.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_of_the_shipped_file_are_right() {
    let mistakes = Settings::parse(&with_examples()).unwrap_err();
    let paths: Vec<_> = mistakes.iter().map(|mistake| mistake.path.as_str()).collect();
    // With [pds] there is no list of gp sources; the file shows all of it.
    assert_eq!(paths, ["locator"], "{mistakes:?}");
}

#[test]
fn every_key_is_in_the_shipped_file() {
    // One unknown key a table makes the reader name every key it knows there.
    let spoilt: String = with_examples()
        .lines()
        .map(|line| if line.starts_with('[') { format!("{line}\nzz = 1\n") } else { format!("{line}\n") })
        .collect();
    let mistakes = Settings::parse(&format!("zz = 1\n{spoilt}")).unwrap_err();
    let known = mistakes.iter().filter_map(|mistake| mistake.says.strip_prefix("is no key here; known are "));
    let mut tables = 0;
    for keys in known {
        tables += 1;
        for key in keys.split(", ") {
            let is_there = SHIPPED.lines().any(|line| {
                let line = line.trim_start_matches('#');
                line.starts_with(&format!("{key} = "))
                    || line == format!("[{key}]")
                    || line == format!("[[{key}]]")
                    || line == format!("[{key}.otlp]")
                    || line == format!("[[demo.{key}]]")
                    || line == format!("[[audit.{key}]]")
                    || line == format!("[sds.{key}]")
                    || line == format!("[server.{key}]")
                    || line == format!("[[issuer.{key}]]")
                    || line == format!("[[consumer.{key}]]")
                    || line == format!("[source.{key}]")
                    || line == format!("[audit.{key}]")
            });
            assert!(is_there, "{key} is not in config/tributary.toml");
        }
    }
    assert_eq!(tables, 43, "{mistakes:?}");
}

#[test]
fn the_demo_file_can_be_served() {
    let settings = Settings::parse(DEMO).unwrap();
    assert_eq!(settings.obstacles(), []);
    assert_eq!(settings.sources.len(), 5);
}

#[test]
fn the_file_of_the_provider_suite_can_be_served() {
    let settings = Settings::parse(include_str!("../../../config/suite.toml")).unwrap();
    assert_eq!(settings.obstacles(), []);
    assert_eq!(settings.sources[0].more_roots.len(), 2);
}

#[test]
fn relative_paths_begin_at_the_folder_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.toml");
    let load = |text: &str| {
        fs::write(&file, format!("{GOOD}{text}")).unwrap();
        let settings = Settings::load(&file).unwrap();
        assert_eq!(settings.codelists, settings.maps);
        (settings.audit.dir, settings.maps)
    };
    assert_eq!(load(""), (dir.path().join("var/audit"), None));
    let relative = "[audit]\ndir = \"log\"\n[maps]\ndir = \"maps\"\n[codelists]\ndir = \"maps\"\n";
    assert_eq!(load(relative), (dir.path().join("log"), Some(dir.path().join("maps"))));
    let absolute =
        "[audit]\ndir = \"/srv/log\"\n[maps]\ndir = \"/srv/maps\"\n[codelists]\ndir = \"/srv/maps\"\n";
    assert_eq!(load(absolute), (PathBuf::from("/srv/log"), Some(PathBuf::from("/srv/maps"))));
    let missing = Settings::load(&dir.path().join("b.toml")).unwrap_err();
    assert!(missing[0].says.starts_with("cannot be read: "), "{missing:?}");
}

#[test]
fn one_system_is_not_registered_twice() {
    for again in ["http://127.0.0.1:9001/fhir", "http://127.0.0.1:9001/fhir/"] {
        let second = format!(
            "[[source]]\nid = \"acute-b\"\nkind = \"acute\"\nprotocol = \"fhir-r4\"\nbase_url = \"{again}\"\n[demo]"
        );
        check("[demo]", &second, &["line 24: source[3].base_url: is the service root of an earlier source"]);
    }
}

#[test]
fn nobody_is_not_a_list_of_sources() {
    check(
        "[demo]",
        "[locator]\ngp = []\nacute = []\n[demo]",
        &["line 20: locator: names nobody: no source would be expected for any patient"],
    );
    check(
        "insecure = true",
        "insecure = true\n[[demo.patient]]\nnhs_number = \"9990000107\"\ntitle = \"a\"\nsources = []",
        &["line 25: demo.patient[1].sources: names nobody; leave it out for those of the locator"],
    );
}

#[test]
fn a_patient_is_listed_once() {
    let patient = "[[demo.patient]]\nnhs_number = \"9990000107\"\ntitle = \"a\"\n";
    let twice = format!("insecure = true\n{patient}{patient}");
    check(
        "insecure = true",
        &twice,
        &["line 26: demo.patient[2].nhs_number: is the number of an earlier patient"],
    );
}

#[test]
fn only_a_demo_goes_without_protection() {
    let process = "[process]\nlock_memory = true\naccept_unprotected = true\n";
    let mistakes = Settings::parse(process).unwrap_err();
    assert_eq!(mistakes[0].path, "process.accept_unprotected");
    let settings = Settings::parse(&format!("{process}[demo]\ninsecure = true\n")).unwrap();
    assert!(settings.process.lock_memory && settings.process.accept_unprotected);
}
