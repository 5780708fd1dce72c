//! The Helm chart, rendered by Helm's own engine and held against the schemas of Kubernetes.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::product::{did, found, is_there, ran, repository, text};
use crate::production::{Given, checked};

/// The Python that has the engine and the schemas; `None`, with a word, where there is none.
fn python() -> Option<std::path::PathBuf> {
    let found = found("kubernetes-validate").map(|program| program.with_file_name("python"));
    if found.is_none() {
        println!(
            "NOT RUN: Helm's engine and the schemas of Kubernetes are not installed; tests/run installs them"
        );
    }
    found
}

/// What becomes of the chart with these values.
fn rendered(python: &Path, values: &Value) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), values.to_string()).unwrap();
    let script = repository().join("tests/deploy/chart.py");
    let chart = repository().join("deploy/helm/tributary");
    let rules = RULES.map(|file| repository().join("deploy/prometheus").join(file));
    let told = did(Command::new(python).arg(script).arg(chart).arg(file.path()).args(rules));
    serde_json::from_str(&told).unwrap()
}

/// The files of rules, in the order in which Prometheus must know them.
const RULES: [&str; 2] = ["recording.yml", "alerts.yml"];

/// The values of an installation, with everything that can be switched on.
fn values(given: &Given) -> Value {
    let digest = format!("sha256:{}", "a1".repeat(32));
    let named: serde_json::Map<String, Value> =
        given.files().into_iter().map(|(path, text)| (path, json!(text))).collect();
    let callers = json!([{"namespaceSelector": {"matchLabels": {"care": "callers"}}}]);
    json!({
        "image": {"digest": digest}, "watch": {"image": {"digest": digest}}, "replicas": 3,
        "config": text("deploy/production.toml").replace("id = \"acute-mersey\"", "id = \"acute-mersey\" # @NODE@"),
        "files": named, "credentialsSecret": "tributary-credentials",
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": true},
        "networkPolicy": {"callers": callers, "watchers": callers,
            "egress": [{"to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"port": 443}]}]},
    })
}

fn with(values: &Value, pointer: &str, value: Value) -> Value {
    let mut values = values.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    values.pointer_mut(parent).unwrap()[key] = value;
    values
}

/// The objects of a kind, by their names.
fn kind<'a>(told: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let objects = told["objects"].as_array().unwrap().iter().filter(|one| one["kind"] == kind);
    objects.map(|one| (one["metadata"]["name"].as_str().unwrap(), one)).collect()
}

#[test]
fn the_chart_is_valid_and_its_pods_have_no_rights() {
    let Some(python) = python() else { return };
    let values = values(&Given::new());
    for values in [
        values.clone(),
        with(&with(&values, "/persistence", json!({"enabled": false})), "/replicas", json!(1)),
    ] {
        let told = rendered(&python, &values);
        assert_eq!(told["refused"], Value::Null);
        assert_eq!(told["lint"], json!([]));
        assert_eq!(told["invalid"], json!([]));
        assert!(told["notes"].as_str().unwrap().contains("tributary check --config"), "{}", told["notes"]);
        for one in [
            "StatefulSet",
            "PodDisruptionBudget",
            "NetworkPolicy",
            "ServiceAccount",
            "ServiceMonitor",
            "PrometheusRule",
        ] {
            assert_eq!(kind(&told, one).len(), 1, "{one}");
        }
        let pod = &kind(&told, "StatefulSet")[0].1["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(
            (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
            (&json!(true), &json!(10_001))
        );
        for container in pod["containers"].as_array().unwrap() {
            let context = &container["securityContext"];
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
            assert_eq!(
                (&context["readOnlyRootFilesystem"], &context["allowPrivilegeEscalation"]),
                (&json!(true), &json!(false))
            );
            assert!(container["image"].as_str().unwrap().contains("@sha256:"), "{container}");
            assert!(
                container["resources"]["limits"]["memory"].is_string()
                    && container["livenessProbe"].is_object()
            );
        }
        let given: Vec<&str> = pod["containers"][0]["env"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["name"].as_str())
            .collect();
        assert_eq!(given, ["POD_NAME", "CREDENTIALS_DIRECTORY"], "a secret could be there");
        let policy = &kind(&told, "NetworkPolicy")[0].1["spec"];
        assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(
            policy["ingress"].as_array().unwrap().len(),
            2,
            "callers and watchers, each to their port"
        );
    }
    let closed = rendered(&python, &with(&values, "/networkPolicy", json!({})));
    assert_eq!(kind(&closed, "NetworkPolicy")[0].1["spec"]["ingress"], json!([]), "nobody unless named");
    assert!(closed["notes"].as_str().unwrap().contains("NOBODY CAN ASK"), "{}", closed["notes"]);
}

#[test]
fn the_rules_of_the_chart_are_those_that_are_tested() {
    for file in RULES {
        let [chart, tested] =
            ["deploy/helm/tributary/rules", "deploy/prometheus"].map(|dir| text(&format!("{dir}/{file}")));
        assert!(chart == tested, "copy deploy/prometheus/{file} to deploy/helm/tributary/rules/{file}");
    }
    let Some(python) = python() else { return };
    let values = with(
        &values(&Given::new()),
        "/prometheusRule/runbookUrl",
        json!("https://ops.trust.example/tributary/"),
    );
    let told = rendered(&python, &values);
    let installed = &kind(&told, "PrometheusRule")[0].1["spec"]["groups"];
    let wanted = told["groups"].to_string();
    let wanted =
        wanted.replace("https://record.example.nhs.uk/runbook", "https://ops.trust.example/tributary");
    assert_eq!(*installed, serde_json::from_str::<Value>(&wanted).unwrap());
    assert!(wanted.matches("\"alert\"").count() >= 30, "{wanted}");
    let monitor = &kind(&told, "ServiceMonitor")[0].1["spec"];
    let job = monitor["jobLabel"].as_str().unwrap();
    let service = kind(&told, "Service")
        .into_iter()
        .find(|(_, one)| one["metadata"]["labels"]["app.kubernetes.io/component"] == "watch");
    assert_eq!(service.unwrap().1["metadata"]["labels"][job], "tributary", "the rules look for this job");
}

#[test]
fn what_would_not_be_safe_is_refused_by_the_chart() {
    let Some(python) = python() else { return };
    let values = values(&Given::new());
    for (pointer, value, says) in [
        ("/image/digest", json!("latest"), "digest"),
        ("/config", json!("[demo]\ninsecure = true\n"), "config"),
        ("/files/tls~1server.key", json!("-----BEGIN PRIVATE KEY-----"), "files"),
        ("/credentialsSecret", json!(""), "credentialsSecret"),
        ("/replica", json!(3), "replica"),
    ] {
        let key = pointer.replace("~1", "/");
        let values = if let Some(name) = key.strip_prefix("/files/") {
            let mut values = values.clone();
            values["files"][name] = value;
            values
        } else {
            with(&values, pointer, value)
        };
        let refused = rendered(&python, &values)["refused"].to_string();
        assert!(refused.contains(says), "{pointer}: {refused}");
    }
}

#[test]
fn what_the_chart_mounts_is_a_configuration_that_is_accepted() {
    let Some(python) = python() else { return };
    let given = Given::new();
    let told = rendered(&python, &values(&given));
    let (name, set) = kind(&told, "StatefulSet")[0];
    let pod = &set["spec"]["template"]["spec"];
    let maps = kind(&told, "ConfigMap");
    let data = |name: &str| &maps.iter().find(|(found, _)| *found == name).unwrap().1["data"];
    let [folder, credentials] = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let volumes = pod["volumes"].as_array().unwrap();
    let config = &volumes.iter().find(|one| one["name"] == "config").unwrap()["configMap"];
    for item in config["items"].as_array().unwrap() {
        let content = data(config["name"].as_str().unwrap())[item["key"].as_str().unwrap()].as_str().unwrap();
        let file = folder.path().join(item["path"].as_str().unwrap());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    given.hand_over(credentials.path());
    for node in ["record-tributary-0", "record-tributary-2"] {
        assert!(node.starts_with(name));
        let argument = pod["containers"][0]["args"][2].as_str().unwrap().replace("$(POD_NAME)", node);
        let file = folder.path().join(argument.strip_prefix("/etc/tributary/").unwrap());
        assert!(
            std::fs::read_to_string(&file).unwrap().contains(&format!("# {node}\n")),
            "whose configuration it is"
        );
        let (is_accepted, said) = checked(&file, credentials.path());
        assert!(is_accepted, "{said}");
    }
    let watch = data(&format!("{name}-watch"))["haproxy.cfg"].as_str().unwrap();
    let plain = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| line.replace("bind 10.0.0.11:", "bind :")).collect()
    };
    assert_eq!(plain(watch), plain(&text("deploy/two-nodes/watch.cfg")), "one watch, here and there");
    if is_there("haproxy", "install Debian's haproxy package") {
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, watch).unwrap();
        let (judged, said) = ran(Command::new(found("haproxy").unwrap()).arg("-c").arg("-f").arg(&file));
        assert!(judged.status.success(), "{said}");
    }
}
