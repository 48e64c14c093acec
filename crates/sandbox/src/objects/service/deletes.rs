//! Deleting objects and versions.

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::request::climbs;
use crate::objects::service::conditions::{failed, fits};
use crate::objects::service::refusal::{OrInternal, bucket};
use crate::objects::service::writes::new_id;
use crate::objects::store::Store;
use crate::objects::store::bucket::{Bucket as Kept, Versioning};
use crate::objects::store::object::{NULL, Object, Version};
use crate::time::{Millis, system_time};

/// The most objects that one request may delete.
const OBJECTS_MAX: usize = 1000;

/// The conditions of a delete.
#[derive(Default)]
struct Conditions {
    matches: Option<ETagCondition>,
    written_at: Option<Timestamp>,
    size: Option<i64>,
}

impl Conditions {
    /// Judges the conditions for the newest version (S3 user guide, "How to perform conditional
    /// deletes").
    fn check(&self, object: &Object) -> S3Result<()> {
        if self.matches.is_none() && self.written_at.is_none() && self.size.is_none() {
            return Ok(());
        }
        if object.versions.is_empty() {
            return Err(s3_error!(NoSuchKey));
        }
        let (version, content) = object.current().ok_or_else(failed)?;
        let fits = |condition| fits(condition, &content.e_tag);
        let written = Timestamp::from(system_time(version.at / 1000 * 1000));
        let holds = self.matches.as_ref().is_none_or(fits)
            && self.written_at.as_ref().is_none_or(|at| *at == written)
            && self
                .size
                .is_none_or(|size| u64::try_from(size) == Ok(content.size));
        if holds { Ok(()) } else { Err(failed()) }
    }
}

/// What a delete has done.
#[derive(Default)]
struct Done {
    /// It made or removed a delete marker.
    is_marker: bool,
    /// The version that was removed, or the marker that was made.
    id: Option<String>,
}

/// Deletes a version, or what is newest: where the bucket keeps versions that gets a delete marker.
fn delete(
    store: &Store,
    at: Millis,
    (name, key): (&str, &str),
    bucket: &Kept,
    id: Option<&str>,
    conditions: &Conditions,
) -> S3Result<Done> {
    let mut object = store.object(name, key).or_internal()?;
    conditions.check(&object)?;
    let done = match (id, bucket.versioning) {
        (Some(id), _) => {
            let removed = object.version(id);
            let is_marker = removed.is_some_and(|removed| removed.content.is_none());
            object.versions.retain(|version| version.id != id);
            Done {
                is_marker,
                id: (bucket.versioning != Versioning::Off).then(|| id.to_owned()),
            }
        }
        (None, Versioning::Off) => {
            object.versions.retain(|version| version.id != NULL);
            Done::default()
        }
        (None, Versioning::Enabled | Versioning::Suspended) => {
            let id = new_id(bucket);
            object.add(Version {
                id: id.clone(),
                at,
                content: None,
            });
            Done {
                is_marker: true,
                id: Some(id),
            }
        }
    };
    store.write_object(name, key, &object).or_internal()?;
    Ok(done)
}

pub(crate) fn one(
    store: &Store,
    at: Millis,
    input: DeleteObjectInput,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    let conditions = Conditions {
        matches: input.if_match,
        written_at: input.if_match_last_modified_time,
        size: input.if_match_size,
    };
    let object = (input.bucket.as_str(), input.key.as_str());
    let id = input.version_id.as_deref();
    let done = delete(store, at, object, &bucket, id, &conditions)?;
    let output = DeleteObjectOutput {
        delete_marker: done.is_marker.then_some(true),
        version_id: done.id,
        ..DeleteObjectOutput::default()
    };
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

pub(crate) fn many(
    store: &Store,
    at: Millis,
    input: DeleteObjectsInput,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > OBJECTS_MAX {
        return Err(s3_error!(MalformedXML));
    }
    if objects.iter().any(|object| climbs(&object.key)) {
        return Err(s3_error!(InvalidURI));
    }
    let is_quiet = input.delete.quiet == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        let conditions = Conditions {
            matches: object.e_tag.map(condition),
            written_at: object.last_modified_time,
            size: object.size,
        };
        let named = (input.bucket.as_str(), object.key.as_str());
        let id = object.version_id.as_deref();
        match delete(store, at, named, &bucket, id, &conditions) {
            Ok(done) if !is_quiet => deleted.push(told(object.key, object.version_id, done)),
            Ok(_) => {}
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(object.key),
                message: error.message().map(str::to_owned),
                version_id: object.version_id,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

fn condition(tag: ETag) -> ETagCondition {
    match tag.value() {
        "*" => ETagCondition::Any,
        _ => ETagCondition::ETag(tag),
    }
}

fn told(key: String, named: Option<String>, done: Done) -> DeletedObject {
    DeletedObject {
        delete_marker: done.is_marker.then_some(true),
        delete_marker_version_id: done.id.filter(|_| done.is_marker),
        key: Some(key),
        version_id: named,
    }
}
