//! The content of a request, as far as it distinguishes two requests.

/// Parameters that say when a request was sent, and not what it is.
const VOLATILE: [&str; 3] = ["StartTime", "EndTime", "x-id"];

/// The content of a request, as far as it distinguishes two requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// The method and the path, or the operation of a protocol that names it.
    pub operation: String,
    /// The parameters, sorted.
    pub parameters: Vec<(String, String)>,
}

impl Question {
    pub(crate) fn of(method: &str, path: &str, target: Option<&str>, body: &str) -> Question {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parsed = |text: &str| {
            let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
            let pairs = pairs.filter(|(key, _)| !VOLATILE.contains(&key.as_str()));
            pairs.collect::<Vec<_>>()
        };
        let mut parameters = parsed(query);
        // What is written to a bucket is told apart by its key.
        let is_form = body.starts_with("Action=") || body.contains("&Action=");
        match (is_form, target) {
            (true, _) => parameters.extend(parsed(body)),
            (false, Some(_)) => parameters.push(("body".to_owned(), in_order(body))),
            (false, None) => {}
        }
        parameters.sort();
        let action = parameters.iter().find(|(key, _)| key == "Action");
        let operation = match (target, action) {
            (Some(target), _) => target.to_owned(),
            (None, Some((_, action))) => action.clone(),
            (None, None) => format!("{method} {path}"),
        };
        Question {
            operation,
            parameters,
        }
    }

    /// Whether it changes something at AWS: every other operation is named after what it reads. A
    /// write to a bucket does not count.
    pub(crate) fn changes(&self) -> bool {
        const READS: [&str; 6] = ["Check", "Describe", "Get", "List", "Simulate", "Validate"];
        let operation = self.operation.rsplit('.').next().unwrap_or_default();
        !self.operation.contains(' ') && !READS.iter().any(|read| operation.starts_with(read))
    }

    /// The ids that a client made up in this request, each with the one that it has made up in
    /// another request like it.
    pub(crate) fn made_up_otherwise(&self, other: &Question) -> Vec<(String, String)> {
        let pairs = self.parameters.iter().zip(&other.parameters);
        let mut found = Vec::new();
        for ((_, recorded), (_, asked)) in pairs {
            if let (Some(recorded), Some(asked)) = (made_up(recorded), made_up(asked))
                && recorded != asked
            {
                let cases: [fn(&str) -> String; 2] = [str::to_lowercase, str::to_uppercase];
                found.extend(cases.map(|case| (case(recorded), case(asked))));
            }
        }
        found
    }

    /// How many values are the same where the operation and the names of the parameters are; `None`
    /// where it is another question: an environment, an application or any other named thing
    /// differs.
    pub(crate) fn likeness(&self, other: &Question) -> Option<usize> {
        let keys = |asked: &Question| {
            let keys = asked.parameters.iter().map(|(key, _)| key.clone());
            keys.collect::<Vec<_>>()
        };
        if self.operation != other.operation || keys(self) != keys(other) {
            return None;
        }
        let pairs = self.parameters.iter().zip(&other.parameters);
        let mut same = 0;
        for ((_, recorded), (_, asked)) in pairs {
            if recorded == asked {
                same += 1;
            } else if names_something(recorded) || names_something(asked) {
                return None;
            }
        }
        Some(same)
    }
}

/// The id in a name or a description that a client has made up.
pub(crate) fn made_up(value: &str) -> Option<&str> {
    let id = value
        .strip_prefix("bluegreen-")
        .or_else(|| value.strip_prefix("bluegreen deployment "))?;
    (id.len() == 26 && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
}

/// Whether a value is the pseudonym of something that has a name.
fn names_something(value: &str) -> bool {
    let kinds = ["application", "bucket", "environment", "version"];
    value.rsplit_once('-').is_some_and(|(kind, number)| {
        kinds.contains(&kind) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

/// A JSON document whose fields are in order.
fn in_order(body: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(body);
    value.map_or_else(|_| body.to_owned(), |value| value.to_string())
}
