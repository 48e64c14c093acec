//! Which files of a crate use which, by what their source names.
//!
//! A file uses another whose module's items its code names: by `crate::…`, `super::…` or
//! `self::…`, or by a path that begins with one of its own child modules, a re-export included.
//! That it declares a child is no use, and tests, comments and texts do not count.

use super::sources::sources;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Files by their paths below `src`, each with those that it uses.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

type Module = Vec<String>;

/// The uses among the files of the crate whose source is in this folder.
pub fn uses(folder: &str) -> Uses {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = sources(folder).into_iter().map(|(path, text)| {
        let path = path.strip_prefix(&root).expect("it is below the folder");
        (path.to_string_lossy().into_owned(), text)
    });
    uses_among(&files.collect::<Vec<_>>())
}

/// The uses among these files.
pub fn uses_among(files: &[(String, String)]) -> Uses {
    let mut modules: BTreeMap<Module, (&str, Vec<Token>)> = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for (file, text) in files {
        // The program is a crate of its own beside its library.
        if file == "main.rs" {
            continue;
        }
        let module = module_of(file);
        let mut tokens = tokens(text);
        for name in take_tests_out(&mut tokens) {
            tests.insert([&module[..], &[name]].concat());
        }
        modules.insert(module, (file.as_str(), tokens));
    }
    modules.retain(|module, _| !(1..=module.len()).any(|depth| tests.contains(&module[..depth])));
    let uses = modules.iter().map(|(module, (file, tokens))| {
        let is_child =
            |name: &str| modules.contains_key(&[&module[..], &[name.to_owned()]].concat());
        let used = paths(tokens, is_child).into_iter().map(|path| {
            let path = absolute(module, path);
            let named = (0..=path.len())
                .rev()
                .find_map(|depth| modules.get(&path[..depth]));
            named.map_or(*file, |(file, _)| file).to_owned()
        });
        let used = used.filter(|used| used != file).collect();
        ((*file).to_owned(), used)
    });
    uses.collect()
}

/// Files that use one another in a circle, each the next one and the last the first; none where
/// there is no circle.
pub fn circle(uses: &Uses) -> Option<Vec<String>> {
    let mut left = uses.clone();
    // Whoever uses nobody that is left is in no circle.
    while let Some(done) = left.keys().find(|file| left[*file].is_empty()).cloned() {
        left.remove(&done);
        left.values_mut().for_each(|used| _ = used.remove(&done));
    }
    let mut walked = vec![left.keys().next()?.clone()];
    loop {
        let next = left[walked.last()?].first()?;
        if let Some(from) = walked.iter().position(|file| file == next) {
            return Some(walked.split_off(from));
        }
        walked.push(next.clone());
    }
}

fn module_of(file: &str) -> Module {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod");
    match name {
        "lib" | "main" => Vec::new(),
        name => name.split('/').map(str::to_owned).collect(),
    }
}

/// A path from the crate's root.
fn absolute(module: &[String], path: Module) -> Module {
    let mut segments = path.into_iter().peekable();
    let mut absolute = match segments.next_if(|first| first == "crate") {
        Some(_) => Vec::new(),
        None => module.to_vec(),
    };
    segments.next_if(|first| first == "self");
    while segments.next_if(|next| next == "super").is_some() {
        absolute.pop();
    }
    absolute.extend(segments);
    absolute
}

/// The paths that begin in this crate, each part of a group by itself.
fn paths(tokens: &[Token], is_child: impl Fn(&str) -> bool) -> Vec<Module> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.as_str());
    let is_ours = |name: &str| ["crate", "super", "self"].contains(&name) || is_child(name);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_first = at == 0 || !["::", "."].contains(&text(at - 1));
        // Whom `pub(in crate::…)` lets see an item, that names nothing of.
        let is_visibility = at > 1 && text(at - 1) == "in" && text(at - 2) == "(";
        let is_path = is_first && is_ours(text(at)) && text(at + 1) == "::" && !is_visibility;
        at = match text(at) {
            "use" => follow(tokens, at + 1, &[], &mut paths),
            _ if is_path => follow(tokens, at, &[], &mut paths),
            _ => at + 1,
        };
    }
    paths.retain(|path: &Module| path.first().is_some_and(|first| is_ours(first)));
    paths
}

/// Adds the paths that begin at a token after `before`, and returns where they end.
fn follow(tokens: &[Token], mut at: usize, before: &[String], paths: &mut Vec<Module>) -> usize {
    let is_name = |token: &Token| token.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at).filter(|token| is_name(token)) {
        // In a group, `self` is what the group is of.
        if token != "self" || path.is_empty() {
            path.push(token.clone());
        }
        at += 1;
        match tokens.get(at) {
            Some(colons) if colons == "::" => at += 1,
            _ => {
                paths.push(path);
                return at;
            }
        }
    }
    if tokens.get(at).is_none_or(|token| token != "{") {
        paths.push(path);
        return at + 1;
    }
    at += 1;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "}" => return at + 1,
            "," => at += 1,
            "as" => at += 2,
            _ => at = follow(tokens, at, &path, paths),
        }
    }
    at
}

/// Takes out what is there for tests alone; the names of the modules in files of their own among
/// it.
fn take_tests_out(tokens: &mut Vec<Token>) -> Vec<String> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut modules = Vec::new();
    while let Some(from) = tokens
        .windows(attribute.len())
        .position(|at| at == attribute)
    {
        let (mut depth, mut to) = (0, from + attribute.len());
        while let Some(token) = tokens.get(to) {
            to += 1;
            match token.as_str() {
                "{" | "[" | "(" => depth += 1,
                "}" | "]" | ")" => depth -= 1,
                _ => {}
            }
            let ends = ["}", ";"].contains(&tokens[to - 1].as_str());
            if depth == 0 && ends {
                break;
            }
        }
        let taken: Vec<_> = tokens.drain(from..to).collect();
        if let [.., word, name, end] = taken.as_slice()
            && word == "mod"
            && end == ";"
        {
            modules.push(name.clone());
        }
    }
    modules
}

type Token = String;

/// The tokens of a source, as far as paths are made of them, without comments and literals.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => text(rest),
            '\'' => character(rest),
            'r' | 'b' if literal(rest).is_some() => literal(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => {
                tokens.push("::".to_owned());
                2
            }
            c if c.is_alphanumeric() || c == '_' => {
                let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
                let length = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
                tokens.push(rest[..length].to_owned());
                length
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// How long a comment is that others may be in.
fn block_comment(source: &str) -> usize {
    let (mut depth, mut at) = (1, 2);
    while depth > 0 {
        let Some(next) = source[at..].find(['/', '*']) else {
            return source.len();
        };
        at += next;
        (depth, at) = match source[at..].get(..2) {
            Some("/*") => (depth + 1, at + 2),
            Some("*/") => (depth - 1, at + 2),
            _ => (depth, at + 1),
        };
    }
    at
}

/// How long a text in quotation marks is.
fn text(source: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in source.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            _ => is_escaped = c == '\\' && !is_escaped,
        }
    }
    source.len()
}

/// How long a character is; of a lifetime, the apostrophe alone.
fn character(source: &str) -> usize {
    let mut inner = source.char_indices().skip(1);
    match (inner.next(), inner.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let end = source[escaped + 1..].find('\'');
            end.map_or(source.len(), |end| escaped + end + 2)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// How long a raw text or one of bytes is; none where a name begins here.
fn literal(source: &str) -> Option<usize> {
    let prefix = source.find(|c| c != 'b' && c != 'r')?;
    let (kind, rest) = source.split_at(prefix);
    if !["b", "r", "br"].contains(&kind) {
        return None;
    }
    let marks = rest.find(|c| c != '#')?;
    let quoted = &rest[marks..];
    if quoted.starts_with('\'') && kind == "b" {
        return Some(prefix + character(quoted));
    }
    if !quoted.starts_with('"') {
        return None;
    }
    if !kind.contains('r') {
        return Some(prefix + text(quoted));
    }
    let end = format!("\"{}", "#".repeat(marks));
    let length = quoted[1..].find(&end)? + 1 + end.len();
    Some(prefix + marks + length)
}
