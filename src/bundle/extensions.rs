//! The files of a bundle that Elastic Beanstalk reads itself, as far as they can be judged here:
//! `.ebextensions/*.config` is YAML or JSON, `Dockerrun.aws.json` is JSON, and each line of a
//! `Procfile` names a process. It refuses a version, or fails to deploy it, where one is not.

use std::io::Read;

use rawzip::{CompressionMethod, FileReader, ZipArchive, ZipFileHeaderRecord};
use saphyr_parser::Parser;
use serde::de::IgnoredAny;

/// The longest file that is judged.
const BYTES_MAX: u64 = 1024 * 1024;

/// Whether Elastic Beanstalk reads a file of a bundle as configuration, in whichever folder it
/// lies (awsdocs/aws-elastic-beanstalk-developer-guide#60).
pub(super) fn is_configuration(path: &str) -> bool {
    let mut folders = path.rsplit('/');
    let name = folders.next().unwrap_or_default();
    name.ends_with(".config") && folders.next() == Some(".ebextensions")
}

/// What is wrong with such a file, in words; `None` where nothing is, where it is another file, or
/// where it cannot be read here.
pub(super) fn fault(
    archive: &ZipArchive<FileReader>,
    entry: &ZipFileHeaderRecord<'_>,
    path: &str,
) -> Option<String> {
    let text = || content(archive, entry);
    match path {
        "Dockerrun.aws.json" => {
            let error = serde_json::from_slice::<IgnoredAny>(&text()?).err()?;
            Some(format!("{path} is no JSON ({error})"))
        }
        "Procfile" => {
            let text = text()?;
            let (number, line) = no_process(&String::from_utf8_lossy(&text))?;
            Some(format!(
                "Procfile has a line that names no process, as in \"web: node app.js\" (line \
                 {number}: {line:?})"
            ))
        }
        _ if is_configuration(path) => configuration_fault(&text()?, path),
        _ => None,
    }
}

fn configuration_fault(text: &[u8], path: &str) -> Option<String> {
    let why = neither(text)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    Some(match name.starts_with("._") {
        true => format!(
            "{path} is a file that macOS has added, and Elastic Beanstalk reads it as \
             configuration and refuses the version: take it out with zip -d BUNDLE '*/._*'"
        ),
        false => format!(
            "{path} is neither YAML nor JSON ({why}): Elastic Beanstalk refuses a version with it"
        ),
    })
}

/// The first line of a Procfile that names no process and its command, with its number from 1
/// (developer guide, "Configuring the application process with a Procfile": a line matches
/// `^[A-Za-z0-9_-]+:\s*[^\s].*$`).
fn no_process(text: &str) -> Option<(usize, String)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let names_one = |line: &str| {
        let (name, command) = line.split_once(':').unwrap_or_default();
        !name.is_empty() && name.chars().all(is_name) && !command.trim().is_empty()
    };
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let mut lines = lines.filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    let (at, line) = lines.find(|(_, line)| !names_one(line))?;
    Some((at + 1, line.chars().take(80).collect()))
}

/// What a file of an archive holds; `None` where it is too long to be judged, or cannot be unpacked
/// here.
pub(super) fn content(
    archive: &ZipArchive<FileReader>,
    entry: &ZipFileHeaderRecord<'_>,
) -> Option<Vec<u8>> {
    let method = entry.compression_method();
    let entry = archive.get_entry(entry.wayfinder()).ok()?;
    let reader = entry.reader();
    let mut text = Vec::new();
    let read = match method {
        CompressionMethod::STORE => reader.take(BYTES_MAX + 1).read_to_end(&mut text),
        CompressionMethod::DEFLATE => flate2::read::DeflateDecoder::new(reader)
            .take(BYTES_MAX + 1)
            .read_to_end(&mut text),
        _ => return None,
    };
    let length = read.ok()? as u64;
    (length <= BYTES_MAX).then_some(text)
}

/// Why a text is neither YAML nor JSON; `None` where it is one of them.
fn neither(text: &[u8]) -> Option<String> {
    if serde_json::from_slice::<IgnoredAny>(text).is_ok() {
        return None;
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Some("it is not UTF-8".to_owned());
    };
    let error = Parser::new_from_str(text).find_map(Result::err)?;
    let at = error.marker();
    Some(format!(
        "line {}, column {}: {}",
        at.line(),
        at.col() + 1,
        error.info()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_configuration_by_their_folder_and_ending() {
        for (path, is) in [
            (".ebextensions/a.config", true),
            ("__MACOSX/shop/.ebextensions/._a.config", true),
            (".ebextensions/a.sh", false),
            (".ebextensions/nginx/a.config", false),
            ("lib/a.config", false),
            ("a.config", false),
        ] {
            assert_eq!(is_configuration(path), is, "{path}");
        }
    }

    #[test]
    fn each_line_of_a_procfile_names_a_process() {
        for good in [
            "web: node app.js\n",
            "# all\n\nweb:bin/web\r\nwork-2: a:b\n",
            "",
        ] {
            assert_eq!(no_process(good), None, "{good}");
        }
        for (bad, at) in [
            ("web node\n", 1),
            ("web: a\nweb b: c\n", 2),
            ("web:  \n", 1),
        ] {
            let found = no_process(bad).expect("it names none");
            assert_eq!(found.0, at, "{bad}");
        }
    }

    #[test]
    fn a_text_is_yaml_or_json_or_neither() {
        for good in [
            "",
            "# nothing\n",
            "\u{feff}option_settings:\r\n  aws:autoscaling:asg:\r\n    MinSize: 1\r\n",
            "{\n\t\"option_settings\": [1,\n2]\n}\n",
            "commands:\n  a:\n    command: [\n      b\n    ]\n",
            "Resources:\n  A:\n    B: '`{ \"Ref\" : \"C\" }`'\n",
        ] {
            assert_eq!(neither(good.as_bytes()), None, "{good}");
        }
        for (bad, at) in [
            // awsdocs/elastic-beanstalk-samples#90.
            (
                "files:\n     \"/a\":\n        mode: \"1\"\n   \"/b\":\n      c: d\n",
                "line 4, column 4: ",
            ),
            // awsdocs/aws-elastic-beanstalk-developer-guide#126.
            (
                "option_settings:\n    aws:elasticbeanstalk:cloudwatch:logs\n        option_name: a\n",
                "line 3, column 20: ",
            ),
            ("option_settings:\n\ta: b\n", "line 2, column "),
        ] {
            let told = neither(bad.as_bytes()).expect("it is neither");
            assert!(told.starts_with(at), "{bad}: {told}");
        }
        assert_eq!(neither(b"a: \xff").as_deref(), Some("it is not UTF-8"));
    }
}
