//! Buckets: their creation, deletion, region, versioning and access control list.

use http::StatusCode;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use crate::objects::service::refusal::{OrInternal, bucket, custom};
use crate::objects::service::settings;
use crate::objects::store::Store;
use crate::objects::store::bucket::{Bucket as Kept, Versioning};
use crate::time::{Millis, system_time};
use crate::world::names::ACCOUNT;

/// The region of a bucket whose creation names none.
const USUAL_REGION: &str = "us-east-1";

/// A bucket with the settings of a new one: public access is blocked and access control lists are
/// off (S3 user guide, "Default settings for new S3 buckets FAQ").
pub(crate) fn made(at: Millis, region: Option<&str>) -> S3Result<Kept> {
    let region = region.unwrap_or(USUAL_REGION).to_owned();
    Ok(Kept {
        created: at,
        region,
        versioning: Versioning::Off,
        settings: settings::of_new_bucket()?,
    })
}

pub(crate) fn create(
    store: &Store,
    at: Millis,
    input: CreateBucketInput,
) -> S3Result<S3Response<CreateBucketOutput>> {
    let constraint = input.create_bucket_configuration.as_ref();
    let constraint = constraint.and_then(|named| named.location_constraint.as_ref());
    let region = constraint.map(BucketLocationConstraint::as_str);
    if region == Some(USUAL_REGION) {
        return Err(s3_error!(
            InvalidLocationConstraint,
            "The specified location-constraint is not valid"
        ));
    }
    let region = region.map(|region| if region == "EU" { "eu-west-1" } else { region });
    match store.bucket(&input.bucket).or_internal()? {
        // API reference, CreateBucket: S3 answers 200 in us-east-1 for compatibility.
        Some(own) if own.region == USUAL_REGION && region.is_none() => {}
        Some(_) => return Err(s3_error!(BucketAlreadyOwnedByYou)),
        None => {
            let mut bucket = made(at, region)?;
            if let Some(ownership) = input.object_ownership {
                settings::own(&mut bucket, ownership)?;
            }
            store.write_bucket(&input.bucket, &bucket).or_internal()?;
        }
    }
    let location = Some(match region {
        None => format!("/{}", input.bucket),
        Some(_) => format!("http://{}.s3.amazonaws.com/", input.bucket),
    });
    Ok(S3Response::new(CreateBucketOutput { location }))
}

pub(crate) fn head(
    store: &Store,
    _: Millis,
    input: HeadBucketInput,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let bucket_region = Some(bucket(store, &input.bucket)?.region);
    Ok(S3Response::new(HeadBucketOutput {
        bucket_region,
        ..HeadBucketOutput::default()
    }))
}

pub(crate) fn delete(
    store: &Store,
    _: Millis,
    input: DeleteBucketInput,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    bucket(store, &input.bucket)?;
    for key in store.keys(&input.bucket).or_internal()? {
        let object = store.object(&input.bucket, &key).or_internal()?;
        if !object.versions.is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
    }
    store.remove_bucket(&input.bucket).or_internal()?;
    let done = DeleteBucketOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn list(
    store: &Store,
    _: Millis,
    input: ListBucketsInput,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let limit = input
        .max_buckets
        .and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(usize::MAX);
    let mut buckets = Vec::new();
    let mut more = None;
    for name in store.buckets().or_internal()? {
        if !name.starts_with(&prefix) || name <= after {
            continue;
        }
        let kept = bucket(store, &name)?;
        if input
            .bucket_region
            .as_ref()
            .is_some_and(|region| *region != kept.region)
        {
            continue;
        }
        if buckets.len() == limit {
            more = buckets.last().and_then(|last: &Bucket| last.name.clone());
            break;
        }
        buckets.push(Bucket {
            bucket_region: Some(kept.region),
            creation_date: Some(system_time(kept.created).into()),
            name: Some(name),
        });
    }
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: more,
        owner: Some(owner()),
        prefix: input.prefix,
    }))
}

pub(crate) fn location(
    store: &Store,
    _: Millis,
    input: GetBucketLocationInput,
) -> S3Result<S3Response<GetBucketLocationOutput>> {
    let region = bucket(store, &input.bucket)?.region;
    let is_usual = region == USUAL_REGION;
    let location_constraint = (!is_usual).then(|| region.into());
    Ok(S3Response::new(GetBucketLocationOutput {
        location_constraint,
    }))
}

pub(crate) fn acl(
    store: &Store,
    _: Millis,
    input: GetBucketAclInput,
) -> S3Result<S3Response<GetBucketAclOutput>> {
    bucket(store, &input.bucket)?;
    Ok(S3Response::new(GetBucketAclOutput {
        grants: Some(grants()),
        owner: Some(owner()),
    }))
}

pub(crate) fn put_acl(
    store: &Store,
    _: Millis,
    input: PutBucketAclInput,
) -> S3Result<S3Response<PutBucketAclOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    let acl = input.acl.as_ref().map(BucketCannedACL::as_str);
    check_acl(&bucket, acl)?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

/// Checks whether a bucket takes an access control list: one that has them off takes none that
/// gives rights to others (S3 user guide, "Controlling ownership of objects").
///
/// # Errors
/// `AccessControlListNotSupported`.
pub(crate) fn check_acl(bucket: &Kept, acl: Option<&str>) -> S3Result<()> {
    let gives_nothing = matches!(acl, None | Some("private" | "bucket-owner-full-control"));
    if gives_nothing || !settings::has_lists_off(bucket)? {
        return Ok(());
    }
    Err(custom(
        StatusCode::BAD_REQUEST,
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    ))
}

pub(crate) fn versioning(
    store: &Store,
    _: Millis,
    input: GetBucketVersioningInput,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let status = match bucket(store, &input.bucket)?.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(GetBucketVersioningOutput {
        status: status.map(BucketVersioningStatus::from_static),
        ..GetBucketVersioningOutput::default()
    }))
}

pub(crate) fn put_versioning(
    store: &Store,
    _: Millis,
    input: PutBucketVersioningInput,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let mut bucket = bucket(store, &input.bucket)?;
    let status = input.versioning_configuration.status;
    bucket.versioning = match status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(s3_error!(IllegalVersioningConfigurationException)),
    };
    store.write_bucket(&input.bucket, &bucket).or_internal()?;
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}

/// The account as an owner. Its canonical user id is made up of its number.
pub(crate) fn owner() -> Owner {
    Owner {
        display_name: None,
        id: Some(ACCOUNT.repeat(5) + &ACCOUNT[..4]),
    }
}

/// What an access control list grants that nobody has changed: everything to the owner.
pub(crate) fn grants() -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: owner().id,
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    vec![Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }]
}
