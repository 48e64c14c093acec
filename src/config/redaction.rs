//! What may be shown of a value: all but what may be a secret.

use super::keys::{Key, Shown};

/// Stands for what is not shown.
pub const HIDDEN: &str = "…";

/// Keys of a table whose strings are not shown.
const HIDDEN_KEYS: [&str; 2] = ["body", "body-contains"];

/// Keys of a receiver whose values are shown where they name a variable.
const SECRET_KEYS: [&str; 3] = ["secret", "token", "url"];

/// What may be shown of a setting's value.
#[must_use]
pub fn shown(key: &Key, value: &str) -> String {
    match key.shown() {
        Shown::Plain => without_secrets(value),
        Shown::Url => url(value),
        Shown::Table => table(value),
        Shown::Secret => secret(value),
    }
}

/// A text whose URLs have lost their user, password and query.
fn without_secrets(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else {
        return text.to_owned();
    };
    let ends = |c: char| c.is_whitespace() || "'\"`<>()[]{},;|".contains(c);
    let (url, rest) = after.split_at(after.find(ends).unwrap_or(after.len()));
    let (authority, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{HIDDEN}@{host}"),
        None => authority.to_owned(),
    };
    format!(
        "{before}://{authority}{}{}",
        without_query(path),
        without_secrets(rest)
    )
}

fn without_query(path: &str) -> String {
    match path.find(['?', '#']) {
        Some(at) => format!("{}{HIDDEN}", &path[..=at]),
        None => path.to_owned(),
    }
}

/// A path or a URL.
fn url(text: &str) -> String {
    match text.contains("://") {
        true => without_secrets(text),
        false => without_query(text),
    }
}

/// The scheme and host of a secret URL, such as a webhook's.
fn secret(text: &str) -> String {
    let host = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.to_owned()
    };
    match text.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}/{HIDDEN}", host(rest)),
        None => HIDDEN.to_owned(),
    }
}

/// A table whose URLs are shown as such, and whose inner tables keep their values.
fn table(text: &str) -> String {
    let Ok(mut table) = toml::from_str::<toml::Table>(&format!("it = {text}")) else {
        return HIDDEN.to_owned();
    };
    let Some(it) = table.get_mut("it") else {
        return HIDDEN.to_owned();
    };
    if let toml::Value::Table(entries) = it {
        // A receiver's; where it names no variable it may be the secret itself.
        let is_receiver = entries.contains_key("to");
        for (key, value) in entries.iter_mut() {
            match value {
                toml::Value::String(_) if HIDDEN_KEYS.contains(&key.as_str()) => hide(value),
                toml::Value::String(text) if is_receiver && SECRET_KEYS.contains(&key.as_str()) => {
                    if !text.starts_with("env:") {
                        hide(value);
                    }
                }
                toml::Value::String(text) if key == "url" => *text = url(text),
                toml::Value::String(text) => *text = without_secrets(text),
                value => hide_inner(value),
            }
        }
    }
    it.to_string()
}

fn hide_inner(value: &mut toml::Value) {
    match value {
        toml::Value::Table(entries) => entries.iter_mut().for_each(|(_, value)| hide(value)),
        toml::Value::Array(items) => items.iter_mut().for_each(hide_inner),
        _ => {}
    }
}

fn hide(value: &mut toml::Value) {
    *value = toml::Value::String(HIDDEN.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        for (text, told) in [
            ("https://a.example/x", "https://a.example/x"),
            ("https://ann:hunter2@a.example/x", "https://…@a.example/x"),
            (
                "https://a.example/x?token=hunter2#y",
                "https://a.example/x?…",
            ),
            ("https://a.example?hunter2", "https://a.example?…"),
            ("/health?key=hunter2", "/health?…"),
            ("/health", "/health"),
        ] {
            assert_eq!(url(text), told);
        }
        assert_eq!(
            without_secrets("curl 'http://a:hunter2@b/c?d=hunter2' -o x?y"),
            "curl 'http://…@b/c?…' -o x?y"
        );
        assert_eq!(
            secret("https://hooks.example/T1/hunter2"),
            "https://hooks.example/…"
        );
        assert_eq!(secret("hunter2"), "…");
    }

    #[test]
    fn a_table_keeps_the_values_of_its_inner_tables_and_its_body() {
        let text = "{ url = '/a?b=hunter2', status = [200], body = 'hunter2', \
                    body-contains = 'hunter2', command = 'ls a?b # https://a.example/?hunter2', \
                    headers = { Authorization = 'hunter2' }, all = [{ a = 'hunter2' }] }";
        let told = table(text);
        assert!(!told.contains("hunter2"), "{told}");
        for kept in [
            "/a?…",
            "200",
            "Authorization",
            "ls a?b # https://a.example/?…",
        ] {
            assert!(told.contains(kept), "{told}");
        }
        assert_eq!(table("hunter2 {"), "…");
        let receiver =
            table("{ to = 'slack', url = 'https://a.example/hunter2', token = 'env:T' }");
        assert!(receiver.contains("env:T"), "{receiver}");
        assert!(!receiver.contains("hunter2"), "{receiver}");
    }
}
