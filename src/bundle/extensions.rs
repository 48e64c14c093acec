//! The configuration files of a bundle, `.ebextensions/*.config`, as far as they can be judged
//! here: each is YAML or JSON. Elastic Beanstalk refuses a version of which one is neither.

use std::io::Read;

use rawzip::{CompressionMethod, FileReader, ZipArchive, ZipArchiveEntryWayfinder};
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

/// What is wrong with a configuration file, in words; `None` where nothing is, or where it cannot
/// be read here.
pub(super) fn fault(
    archive: &ZipArchive<FileReader>,
    entry: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    path: &str,
) -> Option<String> {
    let text = content(archive, entry, method)?;
    let why = neither(&text)?;
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

fn content(
    archive: &ZipArchive<FileReader>,
    entry: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
) -> Option<Vec<u8>> {
    let entry = archive.get_entry(entry).ok()?;
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
