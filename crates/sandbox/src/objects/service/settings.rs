//! The settings of buckets that the sandbox keeps and nothing follows: each as the document that
//! was put.

use std::collections::BTreeMap;

use http::StatusCode;
use s3s::dto::*;
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3Response, S3Result, s3_error};

use crate::objects::service::refusal::{OrInternal, bucket, custom};
use crate::objects::store::Store;
use crate::objects::store::bucket::Bucket;
use crate::time::Millis;

const ACCESS_BLOCK: &str = "publicAccessBlock";
const CORS: &str = "cors";
const ENCRYPTION: &str = "encryption";
const LIFECYCLE: &str = "lifecycle";
const OWNERSHIP: &str = "ownershipControls";
const POLICY: &str = "policy";
const WEBSITE: &str = "website";

fn document(value: &impl Serialize) -> S3Result<String> {
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::new(&mut text));
    written.map_err(S3Error::internal_error)?;
    String::from_utf8(text).map_err(S3Error::internal_error)
}

fn value<T: for<'a> Deserialize<'a>>(document: &str) -> S3Result<T> {
    let read = T::deserialize(&mut Deserializer::new(document.as_bytes()));
    read.map_err(S3Error::internal_error)
}

/// A setting as it was put.
fn kept<T: for<'a> Deserialize<'a>>(
    store: &Store,
    name: &str,
    setting: &str,
) -> S3Result<Option<T>> {
    let bucket = bucket(store, name)?;
    let document = bucket.settings.get(setting);
    document.map(|document| value(document)).transpose()
}

fn keep(store: &Store, name: &str, setting: &str, document: String) -> S3Result<()> {
    let mut bucket = bucket(store, name)?;
    bucket.settings.insert(setting.to_owned(), document);
    store.write_bucket(name, &bucket).or_internal()
}

fn remove(store: &Store, name: &str, setting: &str) -> S3Result<()> {
    let mut bucket = bucket(store, name)?;
    bucket.settings.remove(setting);
    store.write_bucket(name, &bucket).or_internal()
}

/// Defines the three operations of a setting.
macro_rules! setting {
    ($setting:expr, $missing:expr,
        $get:ident($get_input:ident) -> $got:ident { $read:expr },
        $put:ident($put_input:ident) -> $put_output:ident { $written:expr },
        $delete:ident($delete_input:ident) -> $deleted:ident) => {
        pub(crate) fn $get(
            store: &Store,
            _: Millis,
            input: $get_input,
        ) -> S3Result<S3Response<$got>> {
            let found = kept(store, &input.bucket, $setting)?.ok_or_else(|| $missing)?;
            Ok(S3Response::new($read(found)))
        }

        pub(crate) fn $put(
            store: &Store,
            _: Millis,
            input: $put_input,
        ) -> S3Result<S3Response<$put_output>> {
            let written = document(&$written(&input))?;
            keep(store, &input.bucket, $setting, written)?;
            Ok(S3Response::new($put_output::default()))
        }

        pub(crate) fn $delete(
            store: &Store,
            _: Millis,
            input: $delete_input,
        ) -> S3Result<S3Response<$deleted>> {
            remove(store, &input.bucket, $setting)?;
            let done = $deleted::default();
            Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
        }
    };
}

setting!(
    ENCRYPTION,
    s3_error!(ServerSideEncryptionConfigurationNotFoundError),
    kept_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput {
        |found| GetBucketEncryptionOutput { server_side_encryption_configuration: Some(found) }
    },
    put_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput {
        |input: &PutBucketEncryptionInput| input.server_side_encryption_configuration.clone()
    },
    delete_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput
);

setting!(
    LIFECYCLE,
    s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist"),
    lifecycle(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput {
        |found: BucketLifecycleConfiguration| GetBucketLifecycleConfigurationOutput {
            rules: Some(found.rules),
            ..GetBucketLifecycleConfigurationOutput::default()
        }
    },
    put_lifecycle(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput {
        |input: &PutBucketLifecycleConfigurationInput| {
            input.lifecycle_configuration.clone().unwrap_or_default()
        }
    },
    delete_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput
);

setting!(
    CORS,
    s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist"),
    cors(GetBucketCorsInput) -> GetBucketCorsOutput {
        |found: CORSConfiguration| GetBucketCorsOutput { cors_rules: Some(found.cors_rules) }
    },
    put_cors(PutBucketCorsInput) -> PutBucketCorsOutput {
        |input: &PutBucketCorsInput| input.cors_configuration.clone()
    },
    delete_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput
);

setting!(
    ACCESS_BLOCK,
    custom(
        StatusCode::NOT_FOUND,
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found"
    ),
    access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput {
        |found| GetPublicAccessBlockOutput { public_access_block_configuration: Some(found) }
    },
    put_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput {
        |input: &PutPublicAccessBlockInput| input.public_access_block_configuration.clone()
    },
    delete_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput
);

setting!(
    OWNERSHIP,
    s3_error!(OwnershipControlsNotFoundError, "The bucket ownership controls were not found"),
    ownership(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput {
        |found| GetBucketOwnershipControlsOutput { ownership_controls: Some(found) }
    },
    put_ownership(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput {
        |input: &PutBucketOwnershipControlsInput| input.ownership_controls.clone()
    },
    delete_ownership(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput
);

setting!(
    WEBSITE,
    s3_error!(
        NoSuchWebsiteConfiguration,
        "The specified bucket does not have a website configuration"
    ),
    website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput {
        |found: WebsiteConfiguration| GetBucketWebsiteOutput {
            error_document: found.error_document,
            index_document: found.index_document,
            redirect_all_requests_to: found.redirect_all_requests_to,
            routing_rules: found.routing_rules,
        }
    },
    put_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput {
        |input: &PutBucketWebsiteInput| input.website_configuration.clone()
    },
    delete_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput
);

/// Every bucket is encrypted: one without a setting of its own by S3's keys (S3 user guide,
/// "Setting default server-side encryption behavior").
pub(crate) fn encryption(
    store: &Store,
    at: Millis,
    input: GetBucketEncryptionInput,
) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    if bucket.settings.contains_key(ENCRYPTION) {
        return kept_encryption(store, at, input);
    }
    let by_default = ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(false),
    };
    Ok(S3Response::new(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    }))
}

/// How a bucket encrypts an object whose writer names no encryption: the method and the key.
pub(crate) fn default_encryption(bucket: &Bucket) -> S3Result<(Option<String>, Option<String>)> {
    let Some(document) = bucket.settings.get(ENCRYPTION) else {
        return Ok((None, None));
    };
    let found: ServerSideEncryptionConfiguration = value(document)?;
    let rule = found.rules.into_iter().next();
    let rule = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(match rule {
        Some(rule) => (
            Some(rule.sse_algorithm.as_str().to_owned()),
            rule.kms_master_key_id,
        ),
        None => (None, None),
    })
}

/// The settings that S3 gives a new bucket.
pub(crate) fn of_new_bucket() -> S3Result<BTreeMap<String, String>> {
    let blocked = PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    };
    let owned = owned(ObjectOwnership::from_static(
        ObjectOwnership::BUCKET_OWNER_ENFORCED,
    ));
    Ok(BTreeMap::from([
        (ACCESS_BLOCK.to_owned(), document(&blocked)?),
        (OWNERSHIP.to_owned(), document(&owned)?),
    ]))
}

fn owned(object_ownership: ObjectOwnership) -> OwnershipControls {
    let rules = vec![OwnershipControlsRule { object_ownership }];
    OwnershipControls { rules }
}

/// Sets who owns the objects of a bucket.
pub(crate) fn own(bucket: &mut Bucket, ownership: ObjectOwnership) -> S3Result<()> {
    let document = document(&owned(ownership))?;
    bucket.settings.insert(OWNERSHIP.to_owned(), document);
    Ok(())
}

/// Whether a bucket has access control lists off.
pub(crate) fn has_lists_off(bucket: &Bucket) -> S3Result<bool> {
    let Some(document) = bucket.settings.get(OWNERSHIP) else {
        return Ok(false);
    };
    let found: OwnershipControls = value(document)?;
    let mut rules = found.rules.iter();
    Ok(rules.any(|rule| rule.object_ownership.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED))
}

fn no_policy() -> S3Error {
    s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist")
}

pub(crate) fn policy(
    store: &Store,
    _: Millis,
    input: GetBucketPolicyInput,
) -> S3Result<S3Response<GetBucketPolicyOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    let policy = bucket.settings.get(POLICY).cloned().ok_or_else(no_policy)?;
    Ok(S3Response::new(GetBucketPolicyOutput {
        policy: Some(policy),
    }))
}

pub(crate) fn put_policy(
    store: &Store,
    _: Millis,
    input: PutBucketPolicyInput,
) -> S3Result<S3Response<PutBucketPolicyOutput>> {
    bucket(store, &input.bucket)?;
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&input.policy);
    if !parsed.is_ok_and(|policy| policy.is_object()) {
        return Err(s3_error!(
            MalformedPolicy,
            "Policies must be valid JSON and the first byte must be '{{'"
        ));
    }
    keep(store, &input.bucket, POLICY, input.policy)?;
    let done = PutBucketPolicyOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn delete_policy(
    store: &Store,
    _: Millis,
    input: DeleteBucketPolicyInput,
) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
    remove(store, &input.bucket, POLICY)?;
    let done = DeleteBucketPolicyOutput::default();
    Ok(S3Response::with_status(done, StatusCode::NO_CONTENT))
}

pub(crate) fn policy_status(
    store: &Store,
    _: Millis,
    input: GetBucketPolicyStatusInput,
) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
    let bucket = bucket(store, &input.bucket)?;
    bucket.settings.get(POLICY).ok_or_else(no_policy)?;
    let is_public = Some(false);
    Ok(S3Response::new(GetBucketPolicyStatusOutput {
        policy_status: Some(PolicyStatus { is_public }),
    }))
}

/// Defines an operation that reads a setting which no bucket of the sandbox has.
macro_rules! never_set {
    ($get:ident($input:ident) -> $output:ident = $answer:expr) => {
        pub(crate) fn $get(
            store: &Store,
            _: Millis,
            input: $input,
        ) -> S3Result<S3Response<$output>> {
            bucket(store, &input.bucket)?;
            $answer.map(S3Response::new)
        }
    };
}

never_set!(logging(GetBucketLoggingInput) -> GetBucketLoggingOutput
    = Ok(GetBucketLoggingOutput::default()));
never_set!(notification(GetBucketNotificationConfigurationInput)
    -> GetBucketNotificationConfigurationOutput
    = Ok(GetBucketNotificationConfigurationOutput::default()));
never_set!(acceleration(GetBucketAccelerateConfigurationInput)
    -> GetBucketAccelerateConfigurationOutput
    = Ok(GetBucketAccelerateConfigurationOutput::default()));
never_set!(request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput
    = Ok(GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) }));
never_set!(replication(GetBucketReplicationInput) -> GetBucketReplicationOutput
= Err(s3_error!(
    ReplicationConfigurationNotFoundError,
    "The replication configuration was not found"
)));
never_set!(object_lock(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput
= Err(s3_error!(
    ObjectLockConfigurationNotFoundError,
    "Object Lock configuration does not exist for this bucket"
)));
