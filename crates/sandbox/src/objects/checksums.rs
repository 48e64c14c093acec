//! The checksums that s3s-fs keeps beside objects.

use std::path::Path;

/// Removes the checksums that no longer belong to their objects: a process that is killed between
/// writing an object and writing its checksums leaves those of the object before, and every read of
/// it would break off. An object without checksums is read as it is.
pub(crate) fn mend(root: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let Some(object) = object_of(&entry.file_name().to_string_lossy()) else {
            continue;
        };
        let checksums = entry.metadata()?.modified()?;
        let object = std::fs::metadata(root.join(object)).and_then(|found| found.modified());
        let text = std::fs::read(entry.path())?;
        let is_whole = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
        if !is_whole || object.is_ok_and(|object| object > checksums) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The object, as `bucket/key`, whose checksums a file of s3s-fs holds.
fn object_of(file_name: &str) -> Option<String> {
    let name = file_name.strip_prefix(".bucket-")?;
    let name = name.strip_suffix(".internal.json")?;
    let (bucket, key) = name.split_once(".object-")?;
    let decoded = |text: &str| {
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        String::from_utf8(bytes).ok()
    };
    Some(format!("{}/{}", decoded(bucket)?, decoded(key)?))
}
