//! Source bundles on disk.

mod content;
mod extensions;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

pub use bluegreen_aws::bundle_file::{BYTES_MAX, BundleError, read};

use bluegreen_aws::bundle_file::open;

use content::{Content, Top, content_of};

use crate::plan::{Bundle, BundleFile};

/// Opens a bundle, and returns what to warn the operator of. Elastic Beanstalk reports what is wrong
/// with it only when it processes or deploys the version.
///
/// # Errors
/// [`BundleError`] where the service cannot deploy it.
pub fn examine(path: &Path) -> Result<Vec<String>, BundleError> {
    let read_error = |source| BundleError::Read {
        path: path.to_owned(),
        source,
    };
    let no_bundle = |what: String| BundleError::NotABundle {
        path: path.to_owned(),
        what,
    };
    let mut file = open(path)?;
    let mut begin = [0; 512];
    let length = fill(&mut file, &mut begin).map_err(read_error)?;
    match kind_of(&begin[..length], path) {
        Kind::Archive => {}
        Kind::Single => return Ok(Vec::new()),
        Kind::Other(what) => return Err(no_bundle(what.to_owned())),
    }
    let Content {
        top,
        faults,
        mut warnings,
    } = match content_of(file) {
        Ok(content) => content,
        Err(error) if begin.starts_with(LOCAL_FILE) => {
            return Err(no_bundle(format!(
                "is a ZIP file that cannot be read, perhaps because it is not whole ({error})"
            )));
        }
        Err(error) => {
            let what = format!(
                "the bundle {} cannot be opened as a ZIP file: {error}",
                path.display()
            );
            return Ok(vec![what]);
        }
    };
    match top {
        Top::Nothing => return Err(no_bundle("holds no file".to_owned())),
        Top::One(folder) if LAYOUTS.contains(&folder.as_str()) => warnings.push(format!(
            "everything is in its folder {folder}: is that where the platform expects it?"
        )),
        Top::One(folder) => {
            return Err(BundleError::InFolder {
                path: path.to_owned(),
                folder,
            });
        }
        Top::Several => {}
    }
    if !faults.is_empty() {
        return Err(BundleError::Faults {
            path: path.to_owned(),
            faults,
        });
    }
    let told = warnings.into_iter();
    Ok(told
        .map(|warning| format!("the bundle {}: {warning}", path.display()))
        .collect())
}

/// Folders that may be all of an application, as a document root of PHP or a web archive's parts.
const LAYOUTS: [&str; 7] = [
    "public", "www", "web", "html", "htdocs", "WEB-INF", "META-INF",
];

/// The signature of a file in a ZIP archive (APPNOTE.TXT, 4.3.7).
const LOCAL_FILE: &[u8] = b"PK\x03\x04";
/// Other archive formats that people mistake for ZIP, by how they begin.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "is a gzip file"),
    (b"BZh", "is a bzip2 file"),
    (b"\xfd7zXZ", "is an xz file"),
    (b"7z\xbc\xaf", "is a 7z archive"),
    (b"Rar!", "is a RAR archive"),
];
/// Files that are a bundle by themselves (developer guide, "Docker configuration").
const SINGLE: [&str; 4] = ["dockerfile", "json", "yml", "yaml"];

enum Kind {
    /// It begins as a ZIP file does.
    Archive,
    /// It is a file that the service takes as it is.
    Single,
    /// What it is instead.
    Other(&'static str),
}

fn kind_of(begin: &[u8], path: &Path) -> Kind {
    let text = begin
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(begin)
        .trim_ascii_start();
    let other = OTHERS.iter().find(|(magic, _)| begin.starts_with(magic));
    let lower = |name: Option<&std::ffi::OsStr>| {
        name.map(|name| name.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default()
    };
    let ending = lower(path.extension().or(path.file_name()));
    if begin.is_empty() {
        Kind::Other("is empty")
    } else if begin.starts_with(b"PK") {
        Kind::Archive
    } else if let Some((_, what)) = other {
        Kind::Other(what)
    } else if text.starts_with(b"<") {
        Kind::Other("is an HTML or XML page, perhaps what a download answered in place of it")
    } else if SINGLE.contains(&ending.as_str()) {
        Kind::Single
    } else {
        Kind::Other("is no ZIP file")
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The bundle of a file for an application. Its key holds the hash of its content, so that two
/// uploads of it are one object.
#[must_use]
pub fn addressed(application: &str, file: BundleFile) -> Bundle {
    let extension = file
        .path
        .extension()
        .and_then(|e| e.to_str())
        .map(|e| format!(".{e}"))
        .unwrap_or_default();
    Bundle {
        key: format!("bluegreen/bundles/{application}/{}{extension}", file.sha256),
        file: Some(file),
    }
}

/// A version label for a bundle without one: the bundle's name and the beginning of its hash, so
/// that two registrations of it are one version.
#[must_use]
pub fn label(file: &BundleFile) -> String {
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = name.replace('/', "-").chars().take(80).collect();
    format!("{name}-{}", &file.sha256[..12])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ZIP file that holds these, without compression.
    fn zip(names: &[&str]) -> Vec<u8> {
        let files: Vec<_> = names.iter().map(|name| (*name, &b"x"[..])).collect();
        packed(&files, rawzip::CompressionMethod::STORE)
    }

    fn packed(files: &[(&str, &[u8])], method: rawzip::CompressionMethod) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, content) in files {
            let file = archive.new_file(name).compression_method(method);
            let (mut entry, config) = file.start().expect("it begins");
            let descriptor = if method == rawzip::CompressionMethod::DEFLATE {
                let level = flate2::Compression::default();
                let encoder = flate2::write::DeflateEncoder::new(&mut entry, level);
                let mut writer = config.wrap(encoder);
                std::io::Write::write_all(&mut writer, content).expect("it is written");
                let (encoder, descriptor) = writer.finish().expect("it ends");
                encoder.finish().expect("it ends");
                descriptor
            } else {
                let mut writer = config.wrap(&mut entry);
                std::io::Write::write_all(&mut writer, content).expect("it is written");
                writer.finish().expect("it ends").1
            };
            entry.finish(descriptor).expect("it ends");
        }
        archive.finish().expect("it ends");
        bytes
    }

    fn examined(name: &str, bytes: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("it is written");
        examine(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn what_elastic_beanstalk_cannot_deploy_is_refused() {
        let cut = zip(&["app.js"]);
        for (name, bytes, words) in [
            ("shop.zip", &b""[..], "is empty"),
            (
                "shop.zip",
                b"\n <!DOCTYPE html><title>Sign in</title>",
                "is an HTML or XML page",
            ),
            (
                "Dockerfile",
                b"<?xml version=\"1.0\"?><Error/>",
                "is an HTML or XML page",
            ),
            ("shop.zip", b"\x1f\x8b\x08\0", "is a gzip file"),
            ("shop.zip", b"console.log(1)", "is no ZIP file"),
            ("shop", b"console.log(1)", "is no ZIP file"),
            ("shop.zip", &cut[..cut.len() - 30], "cannot be read"),
            ("shop.zip", &zip(&[]), "holds no file"),
        ] {
            let error = examined(name, bytes).expect_err(words);
            assert!(error.contains(words), "{words}: {error}");
            assert!(error.contains("takes a ZIP or WAR file"), "{error}");
        }
    }

    #[test]
    fn a_bundle_is_accepted_and_a_folder_around_it_refused() {
        for (name, bytes) in [
            ("shop.zip", zip(&["app.js", "lib/a.js"])),
            ("shop.war", zip(&["lib/a.js", ".ebextensions/a.config"])),
            ("Dockerfile", b"FROM scratch".to_vec()),
            ("Dockerrun.aws.json", b"{}".to_vec()),
            ("docker-compose.yml", b"services: {}".to_vec()),
        ] {
            assert_eq!(examined(name, &bytes), Ok(Vec::new()), "{name}");
        }
        for inside in [
            &["shop/app.js", "shop/lib/a.js"][..],
            &["shop/app.js", "__MACOSX/shop/._app.js", "shop/lib/a.js"],
        ] {
            let error = examined("shop.zip", &zip(inside)).expect_err("a folder around it");
            assert!(error.contains("in its folder \"shop\""), "{error}");
            assert!(error.contains("(cd shop && zip -r"), "{error}");
        }
        let warnings = examined("shop.zip", &zip(&["public/index.php"])).expect("a bundle");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        // Whatever it is, it says that it is an archive.
        let warnings = examined("shop.zip", b"PK one").expect("a bundle").join(" ");
        assert!(
            warnings.contains("cannot be opened as a ZIP file"),
            "{warnings}"
        );
    }

    /// Elastic Beanstalk refuses each of these once it processes or deploys the version.
    #[test]
    fn configuration_files_that_are_neither_yaml_nor_json_are_refused() {
        use rawzip::CompressionMethod as Method;
        for method in [Method::STORE, Method::DEFLATE] {
            let bytes = packed(
                &[
                    ("app.js", b"x"),
                    (
                        ".ebextensions/good.config",
                        b"option_settings:\n  a:\n    b: c\n",
                    ),
                    (".ebextensions/tab.config", b"option_settings:\n\ta: b\n"),
                    (
                        "__MACOSX/.ebextensions/._good.config",
                        b"\0\x05\x16\x07\xff",
                    ),
                ],
                method,
            );
            let told = examined("shop.zip", &bytes).expect_err("two mistakes");
            let words = ".ebextensions/tab.config is neither YAML nor JSON (line 2, column ";
            assert!(told.contains(words), "{told}");
            assert!(told.contains("is a file that macOS has added"), "{told}");
        }
    }

    /// How an entry of an archive reads, each with what is said of it.
    #[test]
    fn entries_that_no_instance_unpacks_are_refused() {
        for (files, words) in [
            (
                &[("app.js", &b"x"[..]), ("app.js", b"y")][..],
                "\"app.js\" is in it twice",
            ),
            (
                &[("app.js", b"x"), ("lib\\a.js", b"y")],
                "has backslashes in its name",
            ),
            (
                &[("app.js", b"x"), ("../../etc/cron.d/a", b"y")],
                "leads out of the folder",
            ),
            (
                &[("app.js", b"x"), ("Dockerrun.aws.json", b"{\n  a")],
                "Dockerrun.aws.json is no JSON (key must be a string at line 2 column 3)",
            ),
            (
                &[("app.js", b"x"), ("Procfile", b"web: a\nnode app.js")],
                "(line 2: \"node app.js\")",
            ),
        ] {
            let bytes = verbatim(files);
            let error = examined("shop.zip", &bytes).expect_err(words);
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn an_encrypted_entry_is_refused() {
        let mut bytes = zip(&["app.js", "b.js"]);
        // Bit 0 of the flags of the central directory's first entry (APPNOTE.TXT, 4.4.4).
        let central = bytes.windows(4).position(|four| four == b"PK\x01\x02");
        bytes[central.expect("a central directory") + 8] |= 1;
        let error = examined("shop.zip", &bytes).expect_err("it is encrypted");
        assert!(error.contains("\"app.js\" is encrypted"), "{error}");
    }

    /// A ZIP file that holds these, with their names as they are.
    fn verbatim(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, content) in files {
            let file = archive.new_file(rawzip::path::EntryPath::verbatim(name.as_bytes()));
            let (mut entry, config) = file.start().expect("it begins");
            let mut writer = config.wrap(&mut entry);
            std::io::Write::write_all(&mut writer, content).expect("it is written");
            let (_, descriptor) = writer.finish().expect("it ends");
            entry.finish(descriptor).expect("it ends");
        }
        archive.finish().expect("it ends");
        bytes
    }
}
