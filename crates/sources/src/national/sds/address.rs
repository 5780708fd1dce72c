//! Which of the addresses in the directory may be asked. The directory is not ours, and an address is an order.

use url::{Host, Url};

use crate::root::{ServiceRoot, is_loopback};

/// The service root that an address stands for, taken letter by letter but for a slash at its end.
///
/// It is https to a host with a name. Only a directory on loopback, as in tests, may name addresses there, or
/// numbers, or go without TLS.
pub(super) fn root(address: &str, directory: &Url) -> Option<ServiceRoot> {
    let stem = address.trim_end_matches('/');
    let url = Url::parse(stem).ok()?;
    let is_bare = url.query().is_none() && url.fragment().is_none();
    let is_nameless = url.username().is_empty() && url.password().is_none() && !address.contains('@');
    // What the parser would have to mend (dots, escapes, backslashes) is not what was registered.
    let is_verbatim =
        url.as_str().trim_end_matches('/').eq_ignore_ascii_case(stem) && stem.ends_with(path(&url));
    let scheme_fits = match (url.scheme(), url.host()?) {
        ("https", Host::Domain(name)) => name != "localhost" && name.contains('.'),
        _ => false,
    };
    let in_tests = is_loopback(directory) && is_loopback(&url) && matches!(url.scheme(), "http" | "https");
    let fits = is_bare && is_nameless && is_verbatim && (scheme_fits || in_tests);
    fits.then(|| ServiceRoot::parse(stem).ok()).flatten()
}

fn path(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, directory: &str, root_is: Option<&str>) {
        let directory: Url = directory.parse().unwrap();
        assert_eq!(root(address, &directory).as_ref().map(ServiceRoot::as_str), root_is, "{address}");
    }

    #[test]
    fn addresses_are_taken_as_they_are() {
        let sds = "https://sds.example.test/FHIR/R4";
        let good = "https://gp.example.test/A99901/STU3/1/gpconnect/structured/fhir";
        check(good, sds, Some(good));
        check(&format!("{good}/"), sds, Some(good));
        check(&format!("{good}//"), sds, Some(good));
        check("https://gp.example.test:8443/Fhir%20x", sds, Some("https://gp.example.test:8443/Fhir%20x"));
        check("https://gp.example.test", sds, Some("https://gp.example.test"));
        check("https://GP.example.test/Fhir", sds, Some("https://GP.example.test/Fhir"));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let sds = "https://sds.example.test/FHIR/R4";
        for bad in [
            "",
            "gp.example.test/fhir",
            "http://gp.example.test/fhir",
            "ftp://gp.example.test/fhir",
            "file:///etc/passwd",
            "https://user@gp.example.test/fhir",
            "https://user:pass@gp.example.test/fhir",
            "https://@gp.example.test/fhir",
            "https://gp.example.test/fhir?x=1",
            "https://gp.example.test/fhir#x",
            "https://gp.example.test/a/../b",
            "https://gp.example.test/a/%2e%2e/b",
            "https://gp.example.test\\@evil.example/fhir",
            "https://gp.example.test/a b",
            " https://gp.example.test/fhir",
            "https://127.0.0.1/fhir",
            "https://169.254.169.254/latest",
            "https://2130706433/fhir",
            "https://[::1]/fhir",
            "https://[::ffff:10.0.0.1]/fhir",
            "https://localhost/fhir",
            "https://metadata/fhir",
            "http://127.0.0.1:9001/fhir",
        ] {
            check(bad, sds, None);
        }
    }

    #[test]
    fn a_directory_on_loopback_may_name_loopback() {
        let sds = "http://127.0.0.1:9000/FHIR/R4";
        check("http://127.0.0.1:9001/fhir/", sds, Some("http://127.0.0.1:9001/fhir"));
        check("http://10.0.0.1/fhir", sds, None);
        check("https://gp.example.test/fhir", sds, Some("https://gp.example.test/fhir"));
        check("http://user@127.0.0.1:9001/fhir", sds, None);
    }
}
