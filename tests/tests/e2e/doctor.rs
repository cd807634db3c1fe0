//! `kt-control doctor`, against a gateway that runs and one that does not.

use crate::{KEY, demo, with_config};
use kt_tests::envoy::free_address;
use kt_tests::{repository, scenario};
use serde_json::{Value, json};
use std::process::Command;

/// The outcome of every check, by what it is about.
fn doctor(policy_file: &str, url: &str) -> (bool, Vec<(String, bool, String)>) {
    let output = Command::new(repository::kt_control().unwrap())
        .args(["doctor", policy_file, "--json", "--live", "--url", url])
        .arg("--envoy")
        .arg(repository::envoy().unwrap())
        .arg("--wasm")
        .arg(repository::wasm().unwrap())
        .env("TOGETHER_API_KEY", KEY)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    let checks = checks
        .map(|check| (text(check, "check"), check["ok"] == true, text(check, "message")))
        .collect::<Vec<_>>();
    assert_eq!(output.status.code(), Some(i32::from(report["ok"] != true)));
    (report["ok"] == true, checks)
}

#[test]
fn a_gateway_that_does_its_work_is_fine() {
    let upstream = demo();
    let config = scenario::quick_start();
    let gateway = with_config(&upstream, &config).start();
    let mut served = config;
    served["providers"]["targets"][0]["base_url"] = json!(upstream.base_url());
    let policy_file = gateway.folder().join("doctor.yaml");
    std::fs::write(&policy_file, served.to_string()).unwrap();
    let (fine, checks) = doctor(policy_file.to_str().unwrap(), &gateway.base_url());
    assert!(fine, "{checks:#?}");
    let about = |part: &str| checks.iter().find(|(about, ..)| about.contains(part)).unwrap();
    assert!(about("canary that must be refused").2.contains("refused with 400"));
    assert!(about("through the gateway").2.contains("was redacted"));
    let requests = upstream.take_requests();
    assert_eq!(requests.len(), 1, "the attack reached the model");
    assert!(!String::from_utf8_lossy(&requests[0].body).contains("canary@"));
}

#[test]
fn a_gateway_that_is_not_there_is_said_to_be_missing() {
    let upstream = demo();
    let mut config = scenario::quick_start();
    config["providers"]["targets"][0]["base_url"] = json!(upstream.base_url());
    let folder = std::env::temp_dir().join(format!("kt-doctor-{}.yaml", std::process::id()));
    std::fs::write(&folder, config.to_string()).unwrap();
    let (fine, checks) = doctor(folder.to_str().unwrap(), &format!("http://{}", free_address()));
    std::fs::remove_file(&folder).unwrap();
    assert!(!fine);
    let failed: Vec<&String> = checks.iter().filter(|(_, ok, _)| !ok).map(|(about, ..)| about).collect();
    assert_eq!(failed, ["gateway"], "{checks:#?}");
}
