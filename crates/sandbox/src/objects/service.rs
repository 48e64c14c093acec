//! The operations of S3 over the folder, as `s3s` takes them apart.

mod buckets;
mod conditions;
mod copies;
mod deletes;
mod listing;
mod reads;
mod refusal;
mod settings;
mod tags;
mod uploads;
mod versions;
mod writes;

pub(crate) use buckets::made;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Error, S3Request, S3Response, S3Result};

use crate::objects::service::refusal::OrInternal;
use crate::objects::service::uploads::completion;
use crate::objects::store::Store;
use crate::objects::store::staged::Staged;
use crate::time::Millis;

/// When a request is carried out, in the sandbox's own time: it travels with the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub Millis);

/// The buckets below a folder, which one request at a time works on: the lock of the folder holds
/// between processes too. Bodies are received, and parts put together, before the lock is taken.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    store: Store,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Service {
    /// The service of a folder.
    pub fn new(store: Store) -> Service {
        let turn = Arc::default();
        Service { store, turn }
    }

    /// Carries out an operation while nobody else works on the folder.
    async fn carry_out<I: Send + 'static, O: Send + 'static>(
        &self,
        request: S3Request<I>,
        operation: fn(&Store, Millis, I) -> S3Result<S3Response<O>>,
    ) -> S3Result<S3Response<O>> {
        let at = moment(&request);
        let input = request.input;
        self.locked(move |store| operation(store, at, input)).await
    }

    /// Works on the folder while nobody else does.
    async fn locked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> S3Result<T> + Send + 'static,
    ) -> S3Result<T> {
        let turn = self.turn.clone().lock_owned().await;
        let store = self.store.clone();
        blocking(move || {
            let _held = (turn, exclusive(store.root()).or_internal()?);
            work(&store)
        })
        .await
    }
}

/// Runs work that waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> S3Result<T> + Send + 'static,
) -> S3Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(S3Error::internal_error(error)))
}

fn moment<I>(request: &S3Request<I>) -> Millis {
    let moment = request.extensions.get::<Moment>();
    moment.map_or(0, |moment| moment.0)
}

/// Holds a folder's lock until the file is dropped.
///
/// # Errors
/// The lock's file cannot be opened.
pub(crate) fn exclusive(root: &Path) -> io::Result<File> {
    let mut path = root.as_os_str().to_owned();
    path.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(path))?;
    file.lock()?;
    Ok(file)
}

/// The operations that receive a body, as the trait spells them.
const WITH_A_BODY: [&str; 3] = ["complete_multipart_upload", "put_object", "upload_part"];

/// The operations, sorted, as the API reference spells them.
pub(crate) fn operations() -> Vec<String> {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    let name = |spelled: &&str| spelled.split('_').map(capital).collect::<String>();
    let all = OF_THE_FOLDER.iter().chain(&WITH_A_BODY);
    let mut names: Vec<String> = all.map(name).collect();
    names.sort();
    names
}

/// Implements the operations: those with a function need the folder alone, those in braces are
/// written out.
macro_rules! operations {
    ({ $($written:tt)* } $($name:ident($input:ident) -> $output:ident = $operation:path;)*) => {
        /// The operations that need the folder alone, as the trait spells them.
        const OF_THE_FOLDER: &[&str] = &[$(stringify!($name)),*];

        #[async_trait::async_trait]
        impl S3 for Service {
            $($written)*

            $(async fn $name(
                &self,
                request: S3Request<$input>,
            ) -> S3Result<S3Response<$output>> {
                self.carry_out(request, $operation).await
            })*
        }
    };
}

operations! {
    {
        async fn put_object(
            &self,
            mut request: S3Request<PutObjectInput>,
        ) -> S3Result<S3Response<PutObjectOutput>> {
            let at = moment(&request);
            let body = request.input.body.take();
            let wanted = writes::wanted(&request.input)?;
            let input = request.input;
            if let Some(condition) = writes::Condition::of(&input) {
                self.locked(move |store| condition.check(store)).await?;
            }
            let staged = writes::received(body, wanted, &self.store.staging()).await?;
            self.locked(move |store| writes::put(store, at, input, staged)).await
        }

        async fn upload_part(
            &self,
            mut request: S3Request<UploadPartInput>,
        ) -> S3Result<S3Response<UploadPartOutput>> {
            let at = moment(&request);
            let body = request.input.body.take();
            let input = request.input;
            let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
            let upload = self.locked(move |store| uploads::found(store, &bucket, &key, &id)).await?;
            let wanted = uploads::wanted(&upload, &input)?;
            let staged = writes::received(body, wanted, &self.store.staging()).await?;
            self.locked(move |store| uploads::put(store, at, input, staged)).await
        }

        async fn complete_multipart_upload(
            &self,
            request: S3Request<CompleteMultipartUploadInput>,
        ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
            let at = moment(&request);
            let input = request.input;
            let named = completion::named(&input);
            let chosen = self.locked(move |store| completion::chosen(store, &named)).await?;
            let staging = self.store.staging();
            let (staged, chosen): (Staged, _) =
                blocking(move || chosen.assembled(&staging)).await?;
            self.locked(move |store| completion::complete(store, at, input, chosen, staged)).await
        }
    }

    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = buckets::acl;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = buckets::put_acl;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput
        = buckets::versioning;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput
        = buckets::put_versioning;

    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = settings::policy;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = settings::put_policy;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput
        = settings::delete_policy;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput
        = settings::policy_status;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput
        = settings::encryption;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput
        = settings::put_encryption;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput
        = settings::delete_encryption;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput = settings::lifecycle;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput)
        -> PutBucketLifecycleConfigurationOutput = settings::put_lifecycle;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput
        = settings::delete_lifecycle;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = settings::cors;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = settings::put_cors;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = settings::delete_cors;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput
        = settings::access_block;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput
        = settings::put_access_block;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput
        = settings::delete_access_block;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
        -> GetBucketOwnershipControlsOutput = settings::ownership;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput)
        -> PutBucketOwnershipControlsOutput = settings::put_ownership;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput)
        -> DeleteBucketOwnershipControlsOutput = settings::delete_ownership;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = settings::website;
    put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput = settings::put_website;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput
        = settings::delete_website;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = settings::logging;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput = settings::notification;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput
        = settings::replication;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput = settings::acceleration;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput
        = settings::request_payment;
    get_object_lock_configuration(GetObjectLockConfigurationInput)
        -> GetObjectLockConfigurationOutput = settings::object_lock;

    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = tags::of_bucket;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = tags::put_on_bucket;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput
        = tags::delete_from_bucket;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags::of_object;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tags::put_on_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput
        = tags::delete_from_object;

    get_object(GetObjectInput) -> GetObjectOutput = reads::get;
    head_object(HeadObjectInput) -> HeadObjectOutput = reads::head;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput
        = reads::attributes;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = reads::acl;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = reads::put_acl;

    copy_object(CopyObjectInput) -> CopyObjectOutput = copies::copy;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = copies::copy_part;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = deletes::one;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = deletes::many;

    list_objects(ListObjectsInput) -> ListObjectsOutput = listing::first;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = listing::second;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = versions::list;

    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput
        = uploads::begin;
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput
        = uploads::abort;
    list_parts(ListPartsInput) -> ListPartsOutput = uploads::parts;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput
        = uploads::list;
}
